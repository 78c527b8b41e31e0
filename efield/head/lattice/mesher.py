"""Label volume to conforming tetrahedra."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from efield.ground.errors import EfieldWarning, InputError
from efield.ground.progress import Progress, Tell, told
from efield.head.lattice.carve import carve
from efield.head.lattice.fields import Refinement, level_sets, size_field
from efield.head.lattice.graded import graded_lattice
from efield.head.lattice.grid import label_grid
from efield.head.lattice.kept import KeptVolume, kept_volumes
from efield.head.lattice.polish import polish
from efield.head.mesh import HeadMesh

#: What each stage counts for, in hundredths, from its beginning to its end.
_STAGES: Final = {"level sets": (0, 25), "lattice": (25, 50), "interfaces": (50, 75), "smoothing": (75, 100)}


def mesh_labels(
    labels: ArrayLike,
    affine: ArrayLike,
    *,
    edge_mm: Mapping[int, float] | None = None,
    scale: float = 1.0,
    refine: Sequence[Refinement] = (),
    nesting: Sequence[int] | None = None,
    seed: int = 0,
    progress: Progress = None,
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
        Tags of the tissues that are layers, from the inside out; found by depth and contact if not given. Others are
        cut out of the tissue they touch most.
    seed : int
        Seed of the random moves that repair bad tetrahedra.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, 100, note): a quarter of a hundred for each stage that is done,
        and the stage's name.

    Returns
    -------
    HeadMesh
        Nodes in world mm; the same input gives the same mesh, bit by bit.

    Warns
    -----
    EfieldWarning
        If a tissue is too small or thin for these edges and was left in the one around it, or misses its volume.

    Raises
    ------
    InputError
        If the labels, the affine or an option cannot be used.
    """
    head, volumes = mesh_and_volumes(
        labels, affine, edge_mm=edge_mm, scale=scale, refine=refine, nesting=nesting, seed=seed, progress=progress
    )
    for volume in volumes:
        if volume.merged_into is not None or not volume.kept():
            warnings.warn(volume.in_words(), EfieldWarning, stacklevel=2)
    return head


def mesh_and_volumes(
    labels: ArrayLike,
    affine: ArrayLike,
    *,
    edge_mm: Mapping[int, float] | None = None,
    scale: float = 1.0,
    refine: Sequence[Refinement] = (),
    nesting: Sequence[int] | None = None,
    seed: int = 0,
    progress: Progress = None,
) -> tuple[HeadMesh, tuple[KeptVolume, ...]]:
    """As `mesh_labels`, without warnings; what became of each tissue is returned beside the head, tags ascending."""
    with told(progress, "meshing", "%", 100) as tell:
        say = partial(_stage, tell)
        grid = label_grid(labels, affine, nesting)
        say("level sets", 0.0)
        sizes = size_field(grid, edge_mm, scale, refine)
        fields = level_sets(grid)
        points, tets = graded_lattice(grid, sizes, fields, partial(say, "lattice"))
        points, tets, ranks, merged = carve(grid, points, tets, fields, partial(say, "interfaces"))
        if not len(tets):
            raise InputError("labels must be wider than the edges; instead nothing is left: lower scale or edge_mm")
        points = polish(grid, points, tets, ranks, merged, fields, seed, partial(say, "smoothing"))
    tags = np.array([0, *grid.tags])[ranks]
    head = HeadMesh(points=grid.from_grid(points), tets=tets, tissue=tags)
    return head, kept_volumes(grid, head, merged)


def _stage(tell: Tell, stage: str, fraction: float) -> None:
    first, last = _STAGES[stage]
    tell(round(first + (last - first) * fraction), 100, stage)
