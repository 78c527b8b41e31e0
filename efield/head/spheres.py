"""Heads made of concentric spheres: what the closed form can check."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh

#: Mean edge length of the mesh over the height of a layer; measured, 1.27 to 1.28 below 6 mm.
_MEAN_EDGE_OF_LAYER = 1.27
_FINEST_LAYERS = 120
_GOLDEN = (1 + np.sqrt(5)) / 2


def sphere_head(
    radii_mm: Sequence[float] = (70.0, 73.0, 79.0, 85.0),
    tags: Sequence[int] = (2, 3, 4, 5),
    *,
    edge_mm: float = 4.0,
) -> HeadMesh:
    """Concentric spherical shells about the origin, with nodes exactly on every radius.

    The twenty radial tetrahedra of an icosahedron are cut into a regular lattice, and its layers are bent onto
    spheres. The mesh is conforming, the same on every machine, and holds 20 N^3 tetrahedra for N layers.

    Parameters
    ----------
    radii_mm : sequence of float, mm
        Outer radius of each shell, ascending. By default a gray-matter ball 15 mm deep in an 85 mm head, the
        depth of the cortex in Deng et al. 2013, with CSF, bone and scalp around it.
    tags : sequence of int
        Tissue tag of each shell, from the center outwards.
    edge_mm : float, mm
        Mean edge length wanted. Every shell has at least one layer, so shells thinner than this have shorter
        radial edges.

    Returns
    -------
    HeadMesh

    Raises
    ------
    InputError
        If radii do not ascend, do not match the tags, or the mesh would exceed about 35 million tetrahedra.

    References
    ----------
    Deng Z-D, Lisanby SH, Peterchev AV. Electric field depth-focality tradeoff in transcranial magnetic
    stimulation. Brain Stimul 2013;6:1-13.
    """
    radii = _check_radii(radii_mm, tags)
    layers = _layers_per_shell(radii, checks.positive("edge_mm", edge_mm))
    node_radius = _layer_radii(radii, layers)
    tag_of_layer = np.repeat(np.asarray(tags), layers)
    points, tets, layer = _icosahedral_ball(node_radius)
    return HeadMesh(points=points, tets=tets, tissue=tag_of_layer[layer].astype(np.uint16))


def _check_radii(radii_mm: Sequence[float], tags: Sequence[int]) -> NDArray[np.float64]:
    radii = checks.as_float_array("radii_mm", radii_mm)
    if radii.ndim != 1 or not len(radii) or radii[0] <= 0 or (np.diff(radii) <= 0).any():
        raise InputError(f"radii_mm must be positive and ascending; instead received {list(radii_mm)}")
    if len(tags) != len(radii):
        raise InputError(f"tags must have one tag per radius ({len(radii)}); instead received {len(tags)}")
    return radii


def _layers_per_shell(radii: NDArray[np.float64], edge_mm: float) -> NDArray[np.int64]:
    thickness = np.diff(radii, prepend=0.0)
    layers = np.maximum(1, np.floor(thickness * _MEAN_EDGE_OF_LAYER / edge_mm + 0.5)).astype(np.int64)
    if layers.sum() > _FINEST_LAYERS:
        raise InputError(
            f"edge_mm must leave at most {_FINEST_LAYERS} layers of elements; instead {edge_mm:g} mm needs "
            f"{layers.sum()}: use edges of {radii[-1] * _MEAN_EDGE_OF_LAYER / _FINEST_LAYERS:.2g} mm or more"
        )
    return np.asarray(layers)


def _layer_radii(radii: NDArray[np.float64], layers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Radius of node layer 0 (the center) to N (the surface); the shells' radii are hit exactly."""
    inner = np.concatenate([[0.0], radii[:-1]])
    parts = [np.linspace(low, high, count + 1)[1:] for low, high, count in zip(inner, radii, layers, strict=True)]
    return np.concatenate([[0.0], *parts])


def _icosahedron() -> tuple[NDArray[np.float64], list[tuple[int, int, int]]]:
    """The 12 vertices (unit length) and the 20 faces of an icosahedron."""
    corners = [
        np.roll((0.0, one, golden), shift)
        for shift in range(3)
        for one in (-1.0, 1.0)
        for golden in (-_GOLDEN, _GOLDEN)
    ]
    vertices = np.array(corners) / np.hypot(1.0, _GOLDEN)
    gap = np.linalg.norm(vertices[:, None] - vertices[None], axis=2)
    adjacent = (gap > 0.1) & (gap < 1.1)
    faces = [
        (a, b, c) for a, b, c in combinations(range(12), 3) if adjacent[a, b] and adjacent[b, c] and adjacent[a, c]
    ]
    return vertices, faces


def _icosahedral_ball(
    radius: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
    """Points, tetrahedra and the layer (0 to N - 1) of each tetrahedron."""
    n = len(radius) - 1
    vertices, faces = _icosahedron()
    grid = np.array([(x, y, z) for x in range(n + 1) for y in range(n + 1 - x) for z in range(n + 1 - x - y)])
    keys = np.concatenate([_keys(grid, face, n) for face in faces])
    _, first, node = np.unique(keys, return_index=True, return_inverse=True)
    points = np.concatenate([_bend(grid, vertices[list(face)], radius) for face in faces])[first]
    cells = [
        _cut_octahedra(cell, points) if cell.shape[1] == 6 else cell
        for part in node.reshape(len(faces), -1)
        for cell in _cells(grid, part, n)
    ]
    tets = _positive(np.concatenate(cells), points)
    height = np.rint(np.interp(np.linalg.norm(points, axis=1), radius, np.arange(n + 1.0)))
    return points, tets.astype(np.int32), height[tets].min(axis=1).astype(np.int64)


def _keys(grid: NDArray[np.int64], face: tuple[int, int, int], n: int) -> NDArray[np.int64]:
    """One number per lattice point, equal for points that neighboring faces share."""
    code = np.where(grid > 0, np.asarray(face) * (n + 1) + grid, 0)
    code.sort(axis=1)
    base = 12 * (n + 1)
    return np.asarray((code[:, 0] * base + code[:, 1]) * base + code[:, 2])


def _bend(grid: NDArray[np.int64], corners: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lattice points of one radial tetrahedron, bent so that each layer lies on its sphere.

    Weights sin(w theta) are the spherical interpolation along an edge, so neighboring faces agree there.
    """
    layer = grid.sum(axis=1)
    share = grid / np.maximum(layer, 1)[:, None]
    direction = np.sin(share * np.arctan(2.0)) @ corners
    length = np.linalg.norm(direction, axis=1)
    return np.asarray(direction / np.where(layer > 0, length, 1.0)[:, None] * radius[layer][:, None])


def _cells(grid: NDArray[np.int64], node: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Tetrahedra (k, 4), octahedra (k, 6; opposite corners 3 apart) and upside-down tetrahedra (k, 4)."""
    number = np.full((n + 1, n + 1, n + 1), -1, dtype=np.int64)
    number[tuple(grid.T)] = node
    layer = grid.sum(axis=1)

    def corners(deepest: int, *steps: tuple[int, int, int]) -> NDArray[np.int64]:
        base = grid[layer <= n - deepest]
        return np.column_stack([number[tuple((base + step).T)] for step in steps])

    x, y, z, xy, xz, yz = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)
    return [
        corners(1, (0, 0, 0), x, y, z),
        corners(2, x, y, z, yz, xz, xy),
        corners(3, xy, xz, yz, (1, 1, 1)),
    ]


def _cut_octahedra(cells: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Four tetrahedra per octahedron, around its shortest diagonal; inner faces only, so neighbors still match."""
    lengths = np.stack([np.linalg.norm(points[cells[:, k]] - points[cells[:, k + 3]], axis=1) for k in range(3)])
    # Rounded, so that ties fall the same way on every machine.
    shortest = np.argmin(np.round(lengths, 6), axis=0)
    turned = np.take_along_axis(cells, (np.arange(6) % 3 + shortest[:, None]) % 3 + np.arange(6) // 3 * 3, axis=1)
    top, side, back, bottom, far_side, far_back = turned.T
    ring = (side, back, far_side, far_back)
    return np.concatenate([np.column_stack([top, bottom, ring[k], ring[(k + 1) % 4]]) for k in range(4)])


def _positive(tets: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    p0, p1, p2, p3 = (points[tets[:, k]] for k in range(4))
    inverted = np.einsum("ij,ij->i", np.cross(p1 - p0, p2 - p0), p3 - p0) < 0
    tets[inverted] = tets[inverted][:, [1, 0, 2, 3]]
    return tets
