"""Flux that straight wires send through other wires: the inner sum of Neumann's formula.

The potential of a segment of length L is t ln[(s + L) / (s - L)], s = r1 + r2 (see `segments`). On a segment's own wire
distances are lengthened to sqrt(r^2 + g^2), where g is the geometric mean distance of the wire's cross-section.
"""

import numpy as np

from efield.kernels.parts import in_parts


@in_parts(new=lambda points, elements, wires, sources, source_wires, own_squared: np.empty(len(points)))
def linkage(first, last, points, elements, wires, sources, source_wires, own_squared, result):
    """Sum over all sources of t . dl ln[(s + L) / (s - L)] at each of n places on the wires.

    points, elements (n, 3): places and wire elements dl (m, times turns); wires (n,): the wire of each; sources (10, k)
    as in `segments`; source_wires (k,); own_squared: g^2 in m^2. Returns (n,) in m.
    """
    for i in range(first, last):
        total = 0.0
        for k in range(sources.shape[1]):
            soft = own_squared if wires[i] == source_wires[k] else 0.0
            px, py, pz = points[i, 0] - sources[0, k], points[i, 1] - sources[1, k], points[i, 2] - sources[2, k]
            qx, qy, qz = points[i, 0] - sources[3, k], points[i, 1] - sources[4, k], points[i, 2] - sources[5, k]
            s = np.sqrt(px * px + py * py + pz * pz + soft) + np.sqrt(qx * qx + qy * qy + qz * qz + soft)
            along = elements[i, 0] * sources[6, k] + elements[i, 1] * sources[7, k] + elements[i, 2] * sources[8, k]
            total += along * np.log((s + sources[9, k]) / (s - sources[9, k]))
        result[i] = total
