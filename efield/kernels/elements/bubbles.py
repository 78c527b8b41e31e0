"""Quadratic bubbles on the edges of linear tetrahedra: what linear potentials lack. SI units.

The bubble of edge (a, b) is 4 l_a l_b, zero at all nodes; the conductivity is given as in `tets`. What a tetrahedron
adds to any of the matrices follows from its six numbers volume grad(l_a) . sigma grad(l_b). Sums over tetrahedra run in
`PARTS` parts of them, each in one thread and in a fixed order: the same bits for any number of threads.
"""

import numpy as np

from efield.kernels.elements.tets import products, slopes
from efield.kernels.parts import helper, in_parts
from efield.kernels.triples import dot, row

# Sums over tetrahedra are taken in so many parts.
PARTS = 4

# Corners of the six edges of a tetrahedron, in the order of `quadratic`.
_FIRST = np.array([0, 0, 0, 1, 1, 2], dtype=np.int64)
_SECOND = np.array([1, 2, 3, 2, 3, 3], dtype=np.int64)


def edges_of_tets(tets, start, star, row, columns):
    """(m, 6) numbers of the edges of each tetrahedron: places of `columns`, which hold their ends of higher number."""
    found = np.empty((len(tets), 6), dtype=np.int32)
    _edges_of_tets(len(row) - 1, tets, start, star, row, columns, found)
    return found


@in_parts
def _edges_of_tets(first, last, tets, start, star, row, columns, found):
    place = np.empty(row.shape[0], np.int32)
    for i in range(first, last):
        for q in range(row[i], row[i + 1]):
            place[columns[q]] = q
        for s in range(start[i], start[i + 1]):
            t = star[s]
            for k in range(6):
                a, b = tets[t, _FIRST[k]], tets[t, _SECOND[k]]
                if min(a, b) == i:
                    found[t, k] = place[max(a, b)]


def balance(points, tets, sigma, edges, phi, dadt, residual, diagonal):
    """(m, 6) volume grad(l_a) . sigma grad(l_b) for the edges of each tetrahedron.

    The sums of residual and diagonal (PARTS, e) over the parts become what E = -dA/dt - grad phi leaves to the bubbles,
    integrals of sigma E . grad(bubble) for phi (n,) and dadt (n, 3), and the diagonal of their stiffness matrix.
    """
    stiffness = np.empty((len(tets), 6))
    _balance(PARTS, points, tets, sigma, edges, phi, dadt, stiffness, residual, diagonal)
    return stiffness


@in_parts
def _balance(first, last, points, tets, sigma, edges, phi, dadt, stiffness, residual, diagonal):
    m = tets.shape[0]
    for part in range(first, last):
        residual[part] = 0.0
        diagonal[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            n0, n1, n2, n3 = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
            (_, g1, g2, g3), (f0, f1, f2, f3), scale, edge = products(points, tets, sigma, t)
            k01, k02, k03, k12, k13, k23 = edge
            stiffness[t, 0], stiffness[t, 1], stiffness[t, 2] = k01, k02, k03
            stiffness[t, 3], stiffness[t, 4], stiffness[t, 5] = k12, k13, k23
            k00, k11, k22, k33 = _own(edge)
            # The integral of l_a times a linear flow is volume (sum + own) / 20.
            s = 5.0 * (phi[n1] - phi[n0]), 5.0 * (phi[n2] - phi[n0]), 5.0 * (phi[n3] - phi[n0])
            a0, a1, a2, a3 = row(dadt, n0), row(dadt, n1), row(dadt, n2), row(dadt, n3)
            x = a0[0] + a1[0] + a2[0] + a3[0] + s[0] * g1[0] + s[1] * g2[0] + s[2] * g3[0]
            y = a0[1] + a1[1] + a2[1] + a3[1] + s[0] * g1[1] + s[1] * g2[1] + s[2] * g3[1]
            z = a0[2] + a1[2] + a2[2] + a3[2] + s[0] * g1[2] + s[1] * g2[2] + s[2] * g3[2]
            a0, a1 = (x + a0[0], y + a0[1], z + a0[2]), (x + a1[0], y + a1[1], z + a1[2])
            a2, a3 = (x + a2[0], y + a2[1], z + a2[2]), (x + a3[0], y + a3[1], z + a3[2])
            scale *= -0.2
            residual[part, edges[t, 0]] += scale * (dot(f0, a1) + dot(f1, a0))
            residual[part, edges[t, 1]] += scale * (dot(f0, a2) + dot(f2, a0))
            residual[part, edges[t, 2]] += scale * (dot(f0, a3) + dot(f3, a0))
            residual[part, edges[t, 3]] += scale * (dot(f1, a2) + dot(f2, a1))
            residual[part, edges[t, 4]] += scale * (dot(f1, a3) + dot(f3, a1))
            residual[part, edges[t, 5]] += scale * (dot(f2, a3) + dot(f3, a2))
            diagonal[part, edges[t, 0]] += 1.6 * (k00 + k11 + k01)
            diagonal[part, edges[t, 1]] += 1.6 * (k00 + k22 + k02)
            diagonal[part, edges[t, 2]] += 1.6 * (k00 + k33 + k03)
            diagonal[part, edges[t, 3]] += 1.6 * (k11 + k22 + k12)
            diagonal[part, edges[t, 4]] += 1.6 * (k11 + k33 + k13)
            diagonal[part, edges[t, 5]] += 1.6 * (k22 + k33 + k23)


@helper
def _row(array, t):
    return array[t, 0], array[t, 1], array[t, 2], array[t, 3], array[t, 4], array[t, 5]


@helper
def _heights(edges, x, t):
    """Four times x at the edges of tetrahedron t."""
    a, b, c, d, e, f = _row(edges, t)
    return 4.0 * x[a], 4.0 * x[b], 4.0 * x[c], 4.0 * x[d], 4.0 * x[e], 4.0 * x[f]


@helper
def _own(k):
    """Products of each corner's gradient with itself; all four gradients add up to nothing."""
    k01, k02, k03, k12, k13, k23 = k
    return -k01 - k02 - k03, -k01 - k12 - k13, -k02 - k12 - k23, -k03 - k13 - k23


@helper
def _moments(h, k):
    """Four times the integrals of sigma grad u . grad(l_b), u the bubbles of heights h, at corners b."""
    h01, h02, h03, h12, h13, h23 = h
    k01, k02, k03, k12, k13, k23 = k
    k00, k11, k22, k33 = _own(k)
    h0, h1, h2, h3 = h01 + h02 + h03, h01 + h12 + h13, h02 + h12 + h23, h03 + h13 + h23
    return (
        h0 * k00 + h1 * k01 + h2 * k02 + h3 * k03,
        h0 * k01 + h1 * k11 + h2 * k12 + h3 * k13,
        h0 * k02 + h1 * k12 + h2 * k22 + h3 * k23,
        h0 * k03 + h1 * k13 + h2 * k23 + h3 * k33,
    )


@in_parts
def apply(first, last, stiffness, edges, x, out):
    """The sum of out (PARTS, e) over the parts becomes the stiffness matrix of the bubbles times x (e,).

    At corner a the gradient of the bubbles is the sum of heights h_ac grad(l_c): edge ab adds up its products with
    grad(l_b), those at b with grad(l_a), and the moments of both.
    """
    m = edges.shape[0]
    for part in range(first, last):
        out[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            h, k = _heights(edges, x, t), _row(stiffness, t)
            (h01, h02, h03, h12, h13, h23), (k01, k02, k03, k12, k13, k23) = h, k
            k00, k11, k22, k33 = _own(k)
            m0, m1, m2, m3 = _moments(h, k)
            v01 = h01 * (k00 + k11) + h02 * k12 + h03 * k13 + h12 * k02 + h13 * k03 + m0 + m1
            v02 = h02 * (k00 + k22) + h01 * k12 + h03 * k23 + h12 * k01 + h23 * k03 + m0 + m2
            v03 = h03 * (k00 + k33) + h01 * k13 + h02 * k23 + h13 * k01 + h23 * k02 + m0 + m3
            v12 = h12 * (k11 + k22) + h01 * k02 + h13 * k23 + h02 * k01 + h23 * k13 + m1 + m2
            v13 = h13 * (k11 + k33) + h01 * k03 + h12 * k23 + h03 * k01 + h23 * k12 + m1 + m3
            v23 = h23 * (k22 + k33) + h02 * k03 + h12 * k13 + h03 * k02 + h13 * k12 + m2 + m3
            out[part, edges[t, 0]] += 0.2 * v01
            out[part, edges[t, 1]] += 0.2 * v02
            out[part, edges[t, 2]] += 0.2 * v03
            out[part, edges[t, 3]] += 0.2 * v12
            out[part, edges[t, 4]] += 0.2 * v13
            out[part, edges[t, 5]] += 0.2 * v23


@in_parts
def load(first, last, stiffness, tets, edges, x, out):
    """Integrals of sigma grad u . grad(l), u the bubbles times x, as the sum of out (PARTS, n) over the parts."""
    m = edges.shape[0]
    for part in range(first, last):
        out[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            m0, m1, m2, m3 = _moments(_heights(edges, x, t), _row(stiffness, t))
            out[part, tets[t, 0]] += 0.25 * m0
            out[part, tets[t, 1]] += 0.25 * m1
            out[part, tets[t, 2]] += 0.25 * m2
            out[part, tets[t, 3]] += 0.25 * m3


@in_parts(new=lambda points, tets, edges, phi, dadt, x, chosen, weights: np.empty((len(chosen), 3)))
def field_at(first, last, points, tets, edges, phi, dadt, x, chosen, weights, field):
    """E (q, 3) at barycentric coordinates weights (q, 4) of tetrahedra chosen (q,), with the bubbles times x."""
    for q in range(first, last):
        t = chosen[q]
        w0, w1, w2, w3 = weights[q, 0], weights[q, 1], weights[q, 2], weights[q, 3]
        n0, n1, n2, n3 = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
        h01, h02, h03, h12, h13, h23 = _heights(edges, x, t)
        # A bubble's gradient is h (l_a grad(l_b) + l_b grad(l_a)).
        p0 = phi[n0] + h01 * w1 + h02 * w2 + h03 * w3
        p1 = phi[n1] + h01 * w0 + h12 * w2 + h13 * w3
        p2 = phi[n2] + h02 * w0 + h12 * w1 + h23 * w3
        p3 = phi[n3] + h03 * w0 + h13 * w1 + h23 * w2
        _, g0, g1, g2, g3 = slopes(points, tets, t)
        for d in range(3):
            primary = w0 * dadt[n0, d] + w1 * dadt[n1, d] + w2 * dadt[n2, d] + w3 * dadt[n3, d]
            field[q, d] = -primary - p0 * g0[d] - p1 * g1[d] - p2 * g2[d] - p3 * g3[d]
