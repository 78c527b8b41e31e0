"""The cortex that the field is painted on: which of its vertices have one, and |E| there."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Outputs
from efield.basis.reduced_basis import ReducedBasis
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import Surface, TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.nav.engine import LiveEngine
from efield.targeting.field import EField
from efield.viz.drawn_tissue import drawn_tissue
from efield.viz.field_shapes import cortex_with_field, outer_surface

#: One more than the largest tissue tag.
_TAGS: Final = 65536


@dataclass(frozen=True, eq=False)
class Canvas:
    """A surface, and where it has a field.

    Parameters
    ----------
    surface : TriangleSurface
    live : (k,) int
        Its vertices that have one.
    rows : (k,) int
        Rows of a basis's outputs behind them; all vertices in order with full solves.
    words : str
        What it is, for people.
    """

    surface: TriangleSurface
    live: NDArray[np.intp]
    rows: NDArray[np.intp]
    words: str

    @classmethod
    def of(cls, engine: LiveEngine) -> Self:
        """The canvas of an engine."""
        head = engine.sim.head
        if engine.basis is None:
            surface = outer_surface(head, drawn_tissue(head))
            every = np.arange(len(surface.points_mm))
            return cls(surface, every, every, "cortex")
        if engine.basis.outputs.at == "surface":
            middle, numbers = mid_surface(head), engine.basis.outputs.numbers
            return cls(middle, numbers, np.arange(len(numbers)), "middle of the cortex")
        return cls(*_of_tets(head, engine.basis), "cortex")

    def magnitude(self, e: NDArray[np.floating]) -> NDArray[np.float32]:
        """(k,) |E| in V/m at the live vertices, from E at their rows (k, 3); nan where none is known."""
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", e, e)), np.float32)

    def of_field(self, field: EField) -> NDArray[np.float32]:
        """(k,) recovered |E| of a full solve."""
        return self.magnitude(cortex_with_field(field, drawn_tissue(field.head))[1])


def _of_tets(head: HeadMesh, basis: ReducedBasis) -> tuple[Surface, NDArray[np.intp], NDArray[np.intp]]:
    """The brain's surface, its vertices in the basis's region, and their rows: the gray side before the white one."""
    surface = outer_surface(head, drawn_tissue(head))
    found = np.full(len(surface.points_mm), -1, np.intp)
    for tag in (WHITE_MATTER, GRAY_MATTER):
        at = pair_rows(basis.outputs, pair_key(surface.nodes, np.asarray(tag)))
        found = np.where(at >= 0, at, found)
    live = np.flatnonzero(found >= 0)
    if not len(live):
        raise InputError("there must be cortex in the region of the basis to be painted; instead there is none")
    return surface, live, found[live]


def pair_key(nodes: NDArray[np.integer], tags: NDArray[np.integer]) -> NDArray[np.int64]:
    """One number for each (node, tissue) pair."""
    return np.asarray(nodes.astype(np.int64) * _TAGS + tags)


def pair_of(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Nodes and tags of keys."""
    nodes, tags = np.divmod(keys, _TAGS)
    return nodes, tags


def pair_rows(outputs: Outputs, keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Rows of a basis's outputs that hold the recovered field of pairs; -1 where there is none."""
    known = pair_key(outputs.nodes, outputs.tags)
    if not len(known):
        return np.full(keys.shape, -1, np.intp)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, len(outputs.numbers) + at, -1)
