"""Label volume to conforming tetrahedra."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from efield.ground.errors import InputError
from efield.head.lattice.carve import carve
from efield.head.lattice.fields import Refinement, level_sets, size_field
from efield.head.lattice.graded import graded_lattice
from efield.head.lattice.grid import label_grid
from efield.head.lattice.polish import polish
from efield.head.mesh import HeadMesh


def mesh_labels(
    labels: ArrayLike,
    affine: ArrayLike,
    *,
    edge_mm: Mapping[int, float] | None = None,
    scale: float = 1.0,
    refine: Sequence[Refinement] = (),
    nesting: Sequence[int] | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> HeadMesh:
    """A conforming tetrahedral mesh of a label volume.

    Parameters
    ----------
    labels : (nx, ny, nz) array_like of int
        Tissue tag of each voxel; 0 is outside.
    affine : (4, 4) array_like
        Voxel indices to world millimeters, in any orientation.
    edge_mm : mapping of int to float, mm, optional
        Wanted edge per tag; a tag left out has that of `DEFAULT_EDGE_MM`. At interfaces: 0.75 of the finer tissue's.
    scale : float
        Multiplies every edge.
    refine : sequence of Refinement
        Spheres with finer edges.
    nesting : sequence of int, optional
        Tags from the inside out; defaults to ascending (white, gray, CSF, bone, scalp are 1 to 5).
    seed : int
        Seed of the random moves that repair bad tetrahedra.
    progress : callable, optional
        Called with a stage name and the fraction of that stage done.

    Returns
    -------
    HeadMesh
        Nodes in world mm; the same input gives the same mesh, bit by bit.

    Raises
    ------
    InputError
        If the labels, the affine or an option cannot be used.
    """
    say = progress or (lambda stage, fraction: None)
    grid = label_grid(labels, affine, nesting)
    say("level sets", 0.0)
    sizes = size_field(grid, edge_mm, scale, refine)
    fields = level_sets(grid)
    points, tets = graded_lattice(grid, sizes, fields, partial(say, "lattice"))
    points, tets, ranks = carve(grid, points, tets, fields, partial(say, "interfaces"))
    if not len(tets):
        raise InputError("labels must be wider than the edges; instead nothing is left: lower scale or edge_mm")
    points = polish(grid, points, tets, ranks, fields, seed, partial(say, "smoothing"))
    tags = np.array([0, *grid.tags])[ranks]
    return HeadMesh(points=grid.from_grid(points), tets=tets, tissue=tags)
