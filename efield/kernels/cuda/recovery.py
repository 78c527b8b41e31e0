"""The recovered field at chosen (node, tissue) pairs, for blocks of potentials and primary fields. SI units, float64.

Nodes are in the solver's order, here and in what is given: potentials (n, k) and dA/dt (n, 3, k) with the k columns
side by side.
"""

from numba import cuda

from efield.kernels.cuda.launch import ROWS


@cuda.jit(cache=True)
def recovered(nodes, row, members, slopes, ring_row, ring, bends, shares, phi, dadt, out):
    """E out (b, q, 3) at pairs whose sums are `efield.kernels.elements.stencils`. Launched by row, of (q, b)."""
    c = cuda.threadIdx.x
    for p in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, nodes.shape[0], cuda.gridDim.x * ROWS):
        x, y, z, divergence = 0.0, 0.0, 0.0, 0.0
        for s in range(row[p], row[p + 1]):
            value = phi[members[s], c]
            x += slopes[s, 0] * value
            y += slopes[s, 1] * value
            z += slopes[s, 2] * value
        for s in range(ring_row[p], ring_row[p + 1]):
            j = ring[s]
            divergence += bends[s, 0] * dadt[j, 0, c] + bends[s, 1] * dadt[j, 1, c] + bends[s, 2] * dadt[j, 2, c]
        i = nodes[p]
        out[c, p, 0] = x + shares[p, 0] * divergence - dadt[i, 0, c]
        out[c, p, 1] = y + shares[p, 1] * divergence - dadt[i, 1, c]
        out[c, p, 2] = z + shares[p, 2] * divergence - dadt[i, 2, c]
