"""Distances to a surface of triangles, with a tree of boxes around them.

The tree is complete and binary: the children of box i are 2i + 1 and 2i + 2, and the last level holds the leaves,
each with `LEAF` triangles in the order of `corners`. Boxes without triangles are empty (low = inf). Queries are few
and pruned hard, so they run on one thread. Coordinates are in mm.
"""

import numpy as np
from numba import njit

from efield.kernels.triples import along, cross, dot, less, row, turned

#: Triangles in a leaf.
LEAF = 4

_DEPTH = 64

#: Neighboring blocks of points that are first known by one of them.
_TOGETHER = 16

#: Where a surface is looked for, this much farther than is needed now (mm): what is seen then serves the next place.
_MARGIN = 2.0

#: A square that is known is taken this much larger, so that what attains it is not passed over.
_ROUNDING = 1.0 + 1e-9


@njit(cache=True, error_model="numpy")
def _vector(corners, t, k):
    return corners[t, k, 0], corners[t, k, 1], corners[t, k, 2]


@njit(cache=True, error_model="numpy")
def _triangle(corners, t):
    # A literal number is a type of its own, for which `_vector` would be compiled again.
    return _vector(corners, t, np.int64(0)), _vector(corners, t, np.int64(1)), _vector(corners, t, np.int64(2))


@njit(cache=True, error_model="numpy")
def _squared(p, q):
    d = less(p, q)
    return dot(d, d)


@njit(cache=True, error_model="numpy")
def _box_to_box(low, high, boxes, i):
    """Squared distance between a box and box i of the tree."""
    x = max(low[0] - boxes[i, 1, 0], boxes[i, 0, 0] - high[0], 0.0)
    y = max(low[1] - boxes[i, 1, 1], boxes[i, 0, 1] - high[1], 0.0)
    z = max(low[2] - boxes[i, 1, 2], boxes[i, 0, 2] - high[2], 0.0)
    return x * x + y * y + z * z


@njit(cache=True, error_model="numpy")
def _box_beside_plane(a, normal, boxes, i):
    """Squared distance of box i of the tree from the plane through `a` with a unit normal; 0 where they cross."""
    height = reach = 0.0
    for k in range(3):
        height += normal[k] * (0.5 * (boxes[i, 0, k] + boxes[i, 1, k]) - a[k])
        reach += 0.5 * abs(normal[k]) * (boxes[i, 1, k] - boxes[i, 0, k])
    beside = max(abs(height) - reach, 0.0)
    return beside * beside


@njit(cache=True, error_model="numpy")
def _beside_plane(a, normal, p, q, r):
    """Squared distance of triangle p, q, r from the plane through `a` with a unit normal; 0 where they cross."""
    x, y, z = dot(normal, less(p, a)), dot(normal, less(q, a)), dot(normal, less(r, a))
    beside = max(min(x, y, z), -max(x, y, z), 0.0)
    return beside * beside


@njit(cache=True, error_model="numpy")
def _to_segment(p, a, edge):
    """Squared distance to the segment from `a` along `edge`, and the share of it at the nearest point."""
    length = dot(edge, edge)
    t = min(max(dot(less(p, a), edge) / length, 0.0), 1.0) if length > 0.0 else 0.0
    return _squared(p, along(a, t, edge)), t


@njit(cache=True, error_model="numpy")
def _point_to_triangle(p, a, b, c):
    """Squared distance, and the weights of b and c in the nearest point.

    A weight is exactly 0, or the two exactly 1 together, where the point lies on an edge.
    """
    ab, ac, ap = less(b, a), less(c, a), less(p, a)
    d00, d01, d11, d20, d21 = dot(ab, ab), dot(ab, ac), dot(ac, ac), dot(ap, ab), dot(ap, ac)
    area = d00 * d11 - d01 * d01
    v = (d11 * d20 - d01 * d21) / area
    w = (d00 * d21 - d01 * d20) / area
    if v > 0.0 and w > 0.0 and v + w < 1.0:
        return _squared(p, along(along(a, v, ab), w, ac)), v, w
    best, t = _to_segment(p, a, ab)
    v, w = t, 0.0
    other, t = _to_segment(p, a, ac)
    if other < best:
        best, v, w = other, 0.0, t
    other, t = _to_segment(p, b, less(c, b))
    if other < best:
        best, v, w = other, 1.0 - t, t
        # On this edge the weights add up to 1; rounding must not move the point off it.
        v = 1.0 - w
    return best, v, w


@njit(cache=True, error_model="numpy")
def _push_children(stack, bounds, top, box, left, right, first):
    """Push both children of a box with their bounds, last the one to be taken first; returns the new top."""
    swap = 1 if first else 0
    stack[top], bounds[top] = 2 * box + 1 + swap, right if first else left
    stack[top + 1], bounds[top + 1] = 2 * box + 2 - swap, left if first else right
    return top + 2


@njit(cache=True, error_model="numpy")
def _nearest(p, corners, boxes, upper, stack, bounds):
    """Number of the nearest triangle, weights of its second and third corner there, and the squared distance."""
    leaves = (boxes.shape[0] + 1) // 2
    number, of_b, of_c, best, top = 0, 0.0, 0.0, upper, 1
    stack[0], bounds[0] = 0, 0.0
    while top > 0:
        top -= 1
        if bounds[top] >= best:
            continue
        box = stack[top]
        if box >= leaves - 1:
            first = (box - leaves + 1) * LEAF
            for t in range(first, min(first + LEAF, corners.shape[0])):
                a, b, c = _triangle(corners, t)
                distance, v, w = _point_to_triangle(p, a, b, c)
                if distance < best:
                    best, number, of_b, of_c = distance, t, v, w
            continue
        left, right = _box_to_box(p, p, boxes, 2 * box + 1), _box_to_box(p, p, boxes, 2 * box + 2)
        top = _push_children(stack, bounds, top, box, left, right, left < right)
    return number, of_b, of_c, best


@njit(cache=True, error_model="numpy")
def nearest_triangles(points, corners, boxes, upper):
    """Nearest triangle of each point.

    points (n, 3); corners (t, 3, 3) in the order of the leaves; boxes (b, 2, 3) low and high corners; what is farther
    than `upper` (squared) is not sought. Returns the numbers (n,) of the triangles, weights (n, 2) of their second and
    third corners in the nearest points, and squared distances (n,); `upper` where there is none nearer.
    """
    n = points.shape[0]
    number, weights, squared = np.zeros(n, np.int64), np.zeros((n, 2)), np.empty(n)
    stack, bounds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    for i in range(n):
        p = row(points, i)
        number[i], weights[i, 0], weights[i, 1], squared[i] = _nearest(p, corners, boxes, upper, stack, bounds)
    return number, weights, squared


@njit(cache=True, error_model="numpy")
def _feature(v, w):
    """Which pseudonormal holds where the second and third corner weigh v and w: face, edges 01, 12, 20, corners."""
    u = 1.0 - (v + w)
    if u == 0.0:
        return 6 if v == 0.0 else 5 if w == 0.0 else 2
    if v == 0.0:
        return 4 if w == 0.0 else 3
    return 1 if w == 0.0 else 0


@njit(cache=True, error_model="numpy")
def _signed(p, surface, upper, stack, bounds):
    """Signed distance of a point, negative inside; not below sqrt(upper) where nothing is nearer than that."""
    corners, boxes, normals = surface
    t, v, w, squared = _nearest(p, corners, boxes, upper, stack, bounds)
    if squared >= upper:
        return np.sqrt(squared)
    a, b, c = _triangle(corners, t)
    foot = along(along(a, v, less(b, a)), w, less(c, a))
    inside = dot(less(p, foot), _vector(normals, t, _feature(v, w))) < 0.0
    return -np.sqrt(squared) if inside else np.sqrt(squared)


@njit(cache=True, error_model="numpy")
def signed_distances(points, surface):
    """Distances (n,) of points (n, 3), negative inside.

    surface: corners and boxes as in `nearest_triangles`, and pseudonormals (t, 7, 3) of each triangle's face, its edges
    01, 12 and 20, and its corners.
    """
    found = np.empty(points.shape[0])
    stack, bounds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    for i in range(points.shape[0]):
        found[i] = _signed(row(points, i), surface, np.inf, stack, bounds)
    return found


@njit(cache=True, error_model="numpy")
def _posed(rotation, origin, points, i):
    x, y, z = turned(rotation, row(points, i))
    return x + origin[0], y + origin[1], z + origin[2]


@njit(cache=True, error_model="numpy")
def _recalled(seen, k, out):
    """Least that a signed distance can be at `out` by what was seen; -inf if nothing was."""
    return -np.inf if np.isnan(seen[k, 1]) else seen[k, 1] - abs(out - seen[k, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def lowest(rotation, origin, cloud, of_blocks, of_points, out, surface):
    """Smallest signed distance of points that were turned and moved.

    rotation (3, 3), origin (3,); cloud: points (n, 3) in blocks that begin at starts (k + 1,), the blocks' centers
    (k, 3), and how far each point is from that of its block, reach (n,); of_blocks (k, 2), of_points (n, 2): what was
    seen of them elsewhere on the same line, how far out (as is `out`) and the least that the signed distance was there,
    nan if nothing was, which is filled; surface: corners, boxes and normals as in `signed_distances`.

    A signed distance changes by the way at most, so that only blocks are looked at in which the lowest point may be,
    and of their points those that may be it.
    """
    points, starts, centers, reach = cloud
    blocks = centers.shape[0]
    stack, bounds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    low, span, best = np.empty(blocks), np.zeros(blocks), np.inf
    middle = np.full(blocks, np.nan)
    for first in range(0, blocks, _TOGETHER):
        last = min(first + _TOGETHER, blocks)
        one = (first + last) // 2
        if np.isnan(of_blocks[one, 1]):  # neighbors are first known by one of them
            place = _posed(rotation, origin, centers, one)
            distance = _signed(place, surface, np.inf, stack, bounds)
            for k in range(first, last):
                way = np.sqrt(_squared(place, _posed(rotation, origin, centers, k)))
                of_blocks[k, 0], of_blocks[k, 1] = out, distance - way
    for k in range(blocks):
        for i in range(starts[k], starts[k + 1]):
            span[k] = max(span[k], reach[i])
        low[k] = _recalled(of_blocks, k, out) - span[k]
    while True:  # from the lowest up; few are looked at, and a sort takes seconds to compile
        k = 0
        for other in range(1, blocks):
            k = other if low[other] < low[k] else k
        if low[k] >= best:
            return best
        if np.isnan(middle[k]):
            center = _posed(rotation, origin, centers, k)
            middle[k] = _signed(center, surface, np.inf, stack, bounds)
            of_blocks[k, 0], of_blocks[k, 1] = out, middle[k]
            low[k] = middle[k] - span[k]
            continue
        low[k] = np.inf
        for i in range(starts[k], starts[k + 1]):
            least = max(middle[k] - reach[i], _recalled(of_points, i, out))
            if least < best:
                # A little farther than the lowest so far: it tells more of places near by.
                upper = (best + _MARGIN) ** 2 if least > 0.0 else np.inf
                found = _signed(_posed(rotation, origin, points, i), surface, upper, stack, bounds)
                of_points[i, 0], of_points[i, 1] = out, found
                best = min(best, found)


@njit(cache=True, error_model="numpy")
def _edge_to_edge(a, u, b, v):
    """Squared distance of the segments a + s u and b + t v, s and t in [0, 1]."""
    w = less(a, b)
    uu, uv, vv, uw, vw = dot(u, u), dot(u, v), dot(v, v), dot(u, w), dot(v, w)
    cross = uu * vv - uv * uv
    s = min(max((uv * vw - vv * uw) / cross, 0.0), 1.0) if cross > 1e-12 * uu * vv else 0.0
    t = min(max((uv * s + vw) / vv, 0.0), 1.0)
    s = min(max((uv * t - uw) / uu, 0.0), 1.0)
    return _squared(along(a, s, u), along(b, t, v))


@njit(cache=True, error_model="numpy")
def _pierces(a, b, p, q, r):
    """Whether the segment from a to b crosses the triangle p, q, r."""
    normal = cross(less(q, p), less(r, p))
    above, below = dot(normal, less(a, p)), dot(normal, less(b, p))
    if above * below > 0.0 or above == below:
        return False
    hit = along(a, above / (above - below), less(b, a))
    return (
        dot(cross(less(q, p), less(hit, p)), normal) >= 0.0
        and dot(cross(less(r, q), less(hit, q)), normal) >= 0.0
        and dot(cross(less(p, r), less(hit, r)), normal) >= 0.0
    )


@njit(cache=True, error_model="numpy")
def _triangle_to_triangle(a, b, c, p, q, r):
    """Squared distance of two triangles, 0 where they cross."""
    best = np.inf
    for _ in range(3):
        for _ in range(3):
            best = min(best, _edge_to_edge(a, less(b, a), p, less(q, p)))
            p, q, r = q, r, p
        if _pierces(a, b, p, q, r) or _pierces(p, q, a, b, c):
            return 0.0
        best = min(best, _point_to_triangle(a, p, q, r)[0], _point_to_triangle(p, a, b, c)[0])
        a, b, c = b, c, a
        p, q, r = q, r, p
    return best


@njit(cache=True, error_model="numpy")
def _triangle_to_surface(a, b, c, surface, best, stack, bounds):
    """Squared distance of a triangle to a surface, 0 where it crosses; `best` where nothing is nearer than that."""
    corners, boxes, normals = surface
    low = (min(a[0], b[0], c[0]), min(a[1], b[1], c[1]), min(a[2], b[2], c[2]))
    high = (max(a[0], b[0], c[0]), max(a[1], b[1], c[1]), max(a[2], b[2], c[2]))
    normal = cross(less(b, a), less(c, a))
    size = np.sqrt(dot(normal, normal))
    normal = (normal[0] / size, normal[1] / size, normal[2] / size) if size > 0.0 else (0.0, 0.0, 0.0)
    leaves = (boxes.shape[0] + 1) // 2
    stack[0], bounds[0], top = 0, 0.0, 1
    while top > 0 and best > 0.0:
        top -= 1
        if bounds[top] >= best:
            continue
        box = stack[top]
        if box >= leaves - 1:
            first = (box - leaves + 1) * LEAF
            for t in range(first, min(first + LEAF, corners.shape[0])):
                p, q, r = _triangle(corners, t)
                # Where the two are about parallel their planes tell what boxes do not.
                facing = _vector(normals, t, np.int64(0))
                if max(_beside_plane(a, normal, p, q, r), _beside_plane(p, facing, a, b, c)) < best:
                    best = min(best, _triangle_to_triangle(a, b, c, p, q, r))
            continue
        left, right = _box_to_box(low, high, boxes, 2 * box + 1), _box_to_box(low, high, boxes, 2 * box + 2)
        if left < best:
            left = max(left, _box_beside_plane(a, normal, boxes, 2 * box + 1))
        if right < best:
            right = max(right, _box_beside_plane(a, normal, boxes, 2 * box + 2))
        top = _push_children(stack, bounds, top, box, left, right, left < right)
    return best


@njit(cache=True, error_model="numpy")
def _bounds(p, lattice, known, surface, stack, bounds):
    """Least and largest that a point's signed distance to a surface can be, from those at the corners of its cell.

    A distance changes by no more than the way; of the corners the one behind the point tells most. Outside the lattice
    its nearest cell is taken. Corners are looked at when they are first needed.
    """
    origin, step = lattice
    a = min(max(int((p[0] - origin[0]) / step), 0), known.shape[0] - 2)
    b = min(max(int((p[1] - origin[1]) / step), 0), known.shape[1] - 2)
    c = min(max(int((p[2] - origin[2]) / step), 0), known.shape[2] - 2)
    low, high = -np.inf, np.inf
    for i in range(a, a + 2):
        for j in range(b, b + 2):
            for k in range(c, c + 2):
                q = (origin[0] + step * i, origin[1] + step * j, origin[2] + step * k)
                if np.isnan(known[i, j, k]):
                    known[i, j, k] = _signed(q, surface, np.inf, stack, bounds)
                way = np.sqrt(_squared(p, q))
                low, high = max(low, known[i, j, k] - way), min(high, known[i, j, k] + way)
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def nearest_pair(rotation, origin, casing, surface, lattice, known, upper):
    """Squared distance between triangles that were turned and moved and a surface, 0 where any two cross.

    rotation (3, 3), origin (3,); casing: triangles (k, 3, 3) in the order of the leaves of a tree of spheres, their
    centroids (k, 3) and reach (k,) from there, and centers (b, 3) and radii (b,) of the spheres, a tree built as
    that of boxes; surface: corners, boxes and normals as in `signed_distances`; lattice: first point and step of known
    (x, y, z), signed distances or nan, which is filled. Pairs farther apart than `upper` (squared) are passed over, and
    `upper` is returned if there is none nearer. Where nothing is known, that of the nearest centroid is found first:
    with it few are left.
    """
    stack, bounds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    nodes, least = np.empty(_DEPTH, np.int64), np.empty(_DEPTH)
    near, far = np.empty(2), np.empty(2)
    triangles, _, _, centers, radii = casing
    leaves, best = (radii.shape[0] + 1) // 2, upper
    for whole in (False, True):
        nodes[0], least[0], top = 0, -np.inf, 1 if whole or upper == np.inf else 0
        while top > 0 and best > 0.0:
            top -= 1
            if least[top] > 0.0 and least[top] ** 2 >= best:
                continue
            node = nodes[top]
            if node >= leaves - 1:
                first = (node - leaves + 1) * LEAF
                for t in range(first, min(first + LEAF, triangles.shape[0])):
                    best = _nearer(rotation, origin, casing, t, whole, surface, lattice, known, best, stack, bounds)
                continue
            for k in range(2):
                center, radius = _posed(rotation, origin, centers, 2 * node + 1 + k), radii[2 * node + 1 + k]
                low, far[k] = _bounds(center, lattice, known, surface, stack, bounds)
                near[k] = low - radius
            top = _push_children(nodes, least, top, node, near[0], near[1], far[0] < far[1])
    return best


@njit(cache=True, error_model="numpy")
def _nearer(rotation, origin, casing, t, whole, surface, lattice, known, best, stack, bounds):
    """Squared distance of triangle t of a casing to a surface, or of its centroid only; `best` if that is less."""
    triangles, centroids, reach, _, _ = casing
    corners, boxes, _ = surface
    center = _posed(rotation, origin, centroids, t)
    upper = np.sqrt(best) + (reach[t] if whole else 0.0)
    if _bounds(center, lattice, known, surface, stack, bounds)[0] >= upper:
        return best
    if not whole:
        return min(best, _ROUNDING * _nearest(center, corners, boxes, best, stack, bounds)[3])
    a = _posed(rotation, origin, triangles[t], np.int64(0))
    b = _posed(rotation, origin, triangles[t], np.int64(1))
    c = _posed(rotation, origin, triangles[t], np.int64(2))
    return _triangle_to_surface(a, b, c, surface, best, stack, bounds)
