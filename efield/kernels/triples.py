"""Points and vectors in space as tuples of three numbers: arrays would be allocated for each, or counted in and out."""

from efield.kernels.parts import helper


@helper
def row(array, i):
    return array[i, 0], array[i, 1], array[i, 2]


@helper
def seen(points, i, j):
    """Point j as seen from point i."""
    return points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]


@helper
def less(a, b):
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@helper
def along(a, t, u):
    """a + t u."""
    return a[0] + t * u[0], a[1] + t * u[1], a[2] + t * u[2]


@helper
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@helper
def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@helper
def turned(matrix, a):
    """The first three rows and columns of a matrix times a."""
    x, y, z = a
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z,
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z,
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z,
    )


@helper
def six_volumes(points, tets, t):
    """Six times the volume of tetrahedron t, negative if it is inverted."""
    i = tets[t, 0]
    return dot(seen(points, i, tets[t, 1]), cross(seen(points, i, tets[t, 2]), seen(points, i, tets[t, 3])))
