"""Loads and fields of linear tetrahedra on blocks of primary fields. SI units, float64.

Nodes are in the solver's order, here and in what is given: points (n, 3), tets (m, 4) of unsigned integers, dA/dt
(n, 3, k) and potentials (n, k) with the k columns side by side. sigma is (m, 1, 1), or (m, 3, 3) of symmetric tensors.
"""

from numba import cuda

from efield.kernels.cuda.launch import ROWS


@cuda.jit(device=True)
def _face_vector(points, a, b, c):
    """Twice the area vector of the face with corners a, b, c: 6 V grad(shape function) of the corner opposite."""
    ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@cuda.jit(device=True)
def _face_opposite(points, tet, k):
    """`_face_vector` of the face opposite corner k, which points into the tetrahedron."""
    if k == 0:
        return _face_vector(points, tet[1], tet[3], tet[2])
    if k == 1:
        return _face_vector(points, tet[0], tet[2], tet[3])
    if k == 2:
        return _face_vector(points, tet[0], tet[3], tet[1])
    return _face_vector(points, tet[0], tet[1], tet[2])


@cuda.jit(device=True)
def _conducted(sigma, t, x, y, z):
    """sigma v for tetrahedron t."""
    if sigma.shape[1] == 1:
        s = sigma[t, 0, 0]
        return s * x, s * y, s * z
    return (
        sigma[t, 0, 0] * x + sigma[t, 0, 1] * y + sigma[t, 0, 2] * z,
        sigma[t, 1, 0] * x + sigma[t, 1, 1] * y + sigma[t, 1, 2] * z,
        sigma[t, 2, 0] * x + sigma[t, 2, 1] * y + sigma[t, 2, 2] * z,
    )


@cuda.jit(cache=True)
def load_weights(points, tets, sigma, start, around, indptr, columns, weights, lacking):
    """What dA/dt at each neighbor adds to the load of a node: weights (entries, 3), zero before, on a matrix's pattern.

    The load is minus the integral of sigma grad(shape) . dA/dt, with dA/dt averaged over the corners. Each node is one
    thread's, and takes the tetrahedra around it (start, around) in their order. lacking[0] = 1 if the pattern has no
    entry for two nodes of a tetrahedron. Launched by item, of n.
    """
    for i in range(cuda.grid(1), points.shape[0], cuda.gridsize(1)):
        for s in range(start[i], start[i + 1]):
            t = around[s]
            tet = tets[t]
            corner = 0
            for k in range(4):
                if tet[k] == i:
                    corner = k
            x, y, z = _face_opposite(points, tet, corner)
            x, y, z = _conducted(sigma, t, x, y, z)
            for k in range(4):
                q = indptr[i]
                while q < indptr[i + 1] and columns[q] != tet[k]:
                    q += 1
                if q == indptr[i + 1]:
                    lacking[0] = 1
                else:
                    weights[q, 0] -= x / 24.0
                    weights[q, 1] -= y / 24.0
                    weights[q, 2] -= z / 24.0


@cuda.jit(cache=True)
def load(indptr, columns, weights, dadt, out):
    """Right-hand sides out (n, k) of dA/dt, from `load_weights`. Launched by row."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, out.shape[0], cuda.gridDim.x * ROWS):
        total = 0.0
        for s in range(indptr[i], indptr[i + 1]):
            j = columns[s]
            total += weights[s, 0] * dadt[j, 0, c] + weights[s, 1] * dadt[j, 1, c] + weights[s, 2] * dadt[j, 2, c]
        out[i, c] = total


@cuda.jit(cache=True)
def element_field(points, tets, chosen, phi, dadt, first, out):
    """E = -(mean dA/dt of the corners) - grad phi in the chosen tetrahedra (q,): out (b, q, 3) of columns first and on.

    Launched by row, of (q, b).
    """
    c = first + cuda.threadIdx.x
    for row in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, chosen.shape[0], cuda.gridDim.x * ROWS):
        tet = tets[chosen[row]]
        o = tet[0]
        ex, ey, ez, volume = 0.0, 0.0, 0.0, 0.0
        for k in range(4):
            x, y, z = _face_opposite(points, tet, k)
            j = tet[k]
            volume += x * (points[j, 0] - points[o, 0]) / 3.0
            volume += y * (points[j, 1] - points[o, 1]) / 3.0
            volume += z * (points[j, 2] - points[o, 2]) / 3.0
            ex += x * phi[j, c]
            ey += y * phi[j, c]
            ez += z * phi[j, c]
        ax, ay, az = 0.0, 0.0, 0.0
        for k in range(4):
            j = tet[k]
            ax += dadt[j, 0, c]
            ay += dadt[j, 1, c]
            az += dadt[j, 2, c]
        out[cuda.threadIdx.x, row, 0] = -0.25 * ax - ex / volume
        out[cuda.threadIdx.x, row, 1] = -0.25 * ay - ey / volume
        out[cuda.threadIdx.x, row, 2] = -0.25 * az - ez / volume


@cuda.jit(cache=True)
def reorder_vectors(given, order, out):
    """out[i] = given[order[i]] for (n, d, k); columns that are not in given become zero. Launched by row."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, out.shape[0], cuda.gridDim.x * ROWS):
        j = order[i]
        for d in range(out.shape[1]):
            out[i, d, c] = given[j, d, c] if c < given.shape[2] else 0.0


@cuda.jit(cache=True)
def column_back(vectors, order, c, out):
    """out[order[i]] = vectors[i, :, c]: (n, d) of one column, in the head's order. Launched by item, of n."""
    for i in range(cuda.grid(1), vectors.shape[0], cuda.gridsize(1)):
        j = order[i]
        for d in range(vectors.shape[1]):
            out[j, d] = vectors[i, d, c]
