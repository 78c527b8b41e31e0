"""The cortex that the field is painted on: which of its vertices have one, and |E| there at a pose."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import Surface, TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.nav.engine import LiveEngine
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

    def magnitude(self, engine: LiveEngine, pose: Pose) -> NDArray[np.float32]:
        """(k,) recovered |E| in V/m at the live vertices; nan where none is known.

        Raises
        ------
        InputError
            If the engine refuses the pose.
        """
        e: NDArray[np.floating]
        if engine.basis is None:
            e = cortex_with_field(engine.solved(pose), drawn_tissue(engine.sim.head))[1]
        else:
            outside = "solve" if engine.outside == "solve" else "raise"
            e = engine.basis.on_rows(pose, self.rows, engine.didt, coil=engine.coil, outside=outside)
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", e, e)), np.float32)


def _of_tets(head: HeadMesh, basis: ReducedBasis) -> tuple[Surface, NDArray[np.intp], NDArray[np.intp]]:
    """The brain's surface, its vertices in the basis's region, and their rows: the gray side before the white one."""
    surface = outer_surface(head, drawn_tissue(head))
    outputs = basis.outputs
    keys = outputs.nodes * _TAGS + outputs.tags
    found = np.full(len(surface.points_mm), -1, np.intp)
    for tag in (WHITE_MATTER, GRAY_MATTER):
        wanted = surface.nodes.astype(np.int64) * _TAGS + tag
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        here = keys[at] == wanted if len(keys) else np.zeros(len(wanted), bool)
        found[here] = len(outputs.numbers) + at[here]
    live = np.flatnonzero(found >= 0)
    if not len(live):
        raise InputError("there must be cortex in the region of the basis to be painted; instead there is none")
    return surface, live, found[live]
