"""An octree of cubes, each leaf of which holds Chebyshev polynomials of degree 7: grown, fitted, and searched.

children (c, 8) int32 holds for each octant of each cell the next cell if positive, -2 - leaf if the octant is a leaf,
and 0 where nothing is stored; the root's half width and center come with it. Any unit of length.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Numbers of the leaves among a level's octants, their coefficients, and numbers of the octants to divide.
Settled = tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]

#: Of the polynomials in each coordinate.
DEGREE = 7

#: Where the eight octants lie in a cell.
OCTANTS = np.array([[1 if octant >> axis & 1 else -1 for axis in range(3)] for octant in range(8)])

_ANGLES = np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1)

#: Along each axis of a cell, from -1 to 1, where the field is taken for the fit.
NODES = np.cos(_ANGLES)

#: Where a fit is checked: corners, face centers and center of the cell, where the error is largest.
CHECKS = np.array([p for p in np.ndindex(3, 3, 3) if p.count(1) in (0, 2, 3)]) - 1.0

_TO_COEFFICIENTS = 2 / (DEGREE + 1) * np.cos(np.outer(np.arange(DEGREE + 1), _ANGLES))
_TO_COEFFICIENTS[0] /= 2


def fit(values: FloatArray) -> FloatArray:
    """Coefficients (n, 8, 8, 8, q), by the degrees in x, y and z, of values (n, 8, 8, 8, q) at all the `NODES`."""
    return np.asarray(np.einsum("ai,bj,dk,nijkq->nabdq", *[_TO_COEFFICIENTS] * 3, values, optimize=True))


def grow(
    center: FloatArray, half: float, settle: Callable[[FloatArray, float], Settled]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Children and the leaves' coefficients of a tree whose root has its center (3,) and half width here.

    settle takes the centers (n, 3) and the half width of all octants of a level, and says which are leaves and which
    are divided; the others stay empty.
    """
    children: list[NDArray[np.int32]] = []
    coefficients: list[NDArray[np.float32]] = []
    stored, centers = 0, np.reshape(center, (1, 3))
    while len(centers):
        first_child = sum(map(len, children)) + len(centers)
        half /= 2
        octants = (centers[:, None] + half * OCTANTS).reshape(-1, 3)
        leaves, fitted, divided = settle(octants, half)
        link = np.zeros(len(octants), np.int32)
        link[leaves] = -2 - stored - np.arange(len(leaves), dtype=np.int32)
        link[divided] = first_child + np.arange(len(divided), dtype=np.int32)
        children.append(link.reshape(-1, 8))
        coefficients.append(fitted)
        stored += len(leaves)
        centers = octants[divided]
    return np.concatenate(children), np.concatenate(coefficients)


@njit(cache=True, error_model="numpy")
def find(x, y, z, half, children):
    """Leaf number, negative where none is stored; the position in the leaf from -1 to 1; and its half width."""
    # nan must count as outside, so the comparison asks for inside.
    if not (abs(x) <= half and abs(y) <= half and abs(z) <= half):
        return -1, x, y, z, half
    cell = 0
    while True:
        half *= 0.5
        octant = (1 if x > 0.0 else 0) + (2 if y > 0.0 else 0) + (4 if z > 0.0 else 0)
        x += -half if x > 0.0 else half
        y += -half if y > 0.0 else half
        z += -half if z > 0.0 else half
        cell = children[cell, octant]
        if cell <= 0:
            return -2 - cell, x / half, y / half, z / half, half


@njit(cache=True)
def powers(t):
    """Chebyshev polynomials of degree 0 to 7 of a number, in single precision."""
    t = np.float32(t)
    d = t + t
    t2 = d * t - np.float32(1.0)
    t3 = d * t2 - t
    t4 = d * t3 - t2
    t5 = d * t4 - t3
    t6 = d * t5 - t4
    return np.float32(1.0), t, t2, t3, t4, t5, t6, d * t6 - t5


@njit(cache=True)
def slopes(t):
    """Derivatives of the `powers`, in single precision: n times the polynomials of the second kind of degree n - 1."""
    t = np.float32(t)
    d = t + t
    u2 = d * d - np.float32(1.0)
    u3 = d * u2 - d
    u4 = d * u3 - u2
    u5 = d * u4 - u3
    u6 = d * u5 - u4
    return (
        np.float32(0.0),
        np.float32(1.0),
        np.float32(2.0) * d,
        np.float32(3.0) * u2,
        np.float32(4.0) * u3,
        np.float32(5.0) * u4,
        np.float32(6.0) * u5,
        np.float32(7.0) * u6,
    )
