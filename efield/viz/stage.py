"""`Stage`: what a scene knows, and what follows from it: shapes, scales, the place that is looked at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.card import Carded
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.surface import Surface, TriangleSurface
from efield.targeting.targets import Target
from efield.viz.drawn_tissue import drawn_tissue, strongest_point
from efield.viz.field_shapes import cortex_with_field
from efield.viz.scale import Scale, field_scale
from efield.viz.shapes import Shape
from efield.viz.views import outward_at

if TYPE_CHECKING:
    from efield.targeting.field import EField

#: Makes the shapes of one part, when all of the scene is known.
Part = Callable[["Stage"], Iterable[Shape]]


@dataclass(frozen=True, eq=False, repr=False)
class Stage(Carded):
    """A head, what is known of it, and parts that are made when all of that is known; see `Scene`."""

    head: HeadMesh
    field: "EField | None" = None
    place: Target | None = None
    coils: tuple[tuple["Coil", "Pose"], ...] = ()
    parts: tuple[Part, ...] = ()

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Everything there is, as triangles."""
        return tuple(shape for part in self.parts for shape in part(self))

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """What the colors mean, each once."""
        return tuple(dict.fromkeys(shape.scale for shape in self.shapes if shape.scale is not None))

    @cached_property
    def tag(self) -> int:
        """The tissue whose field is shown."""
        return drawn_tissue(self.head)

    @cached_property
    def center_mm(self) -> NDArray[np.float64]:
        """(3,) the target; else the strongest field, else under the first coil, else the middle of the head."""
        if self.place is not None:
            return np.asarray(self.place.center_mm)
        if self.field is not None:
            return strongest_point(self.field, self.tag)
        middle = (self.head.points.min(axis=0) + self.head.points.max(axis=0)) / 2
        return self.coils[0][1].center_mm if self.coils else np.asarray(middle)

    @cached_property
    def outward(self) -> NDArray[np.float64]:
        """(3,) out of the head at `center_mm`; against the first coil's axis where there is one."""
        return outward_at(self.head, self.center_mm, self.coils[0][1] if self.coils else None)

    def _with(self, part: Part, **changes: Any) -> Self:
        return replace(self, parts=(*self.parts, part), **changes)

    def field_scale(
        self,
        magnitude: NDArray[np.float64],
        surface: TriangleSurface,
        limit: float | None,
        label: str = "|E|",
        unit: str = "V/m",
    ) -> Scale:
        """The colors of |E| (p,), or of what is known of it, on a surface of this scene; to `limit` if it is given."""
        if limit is not None:
            return Scale(label, unit, 0.0, checks.positive("limit", limit))
        center = None if self.place is None else self.place.center_mm
        return field_scale(magnitude, surface.points_mm, center, label, unit)

    def _only_field(self, field: "EField | None") -> "EField | None":
        if field is not None and field.head is not self.head:
            raise InputError("the field must be of the scene's head; instead it was computed in another one")
        return self.field if field is None else field

    def on_cortex(self, field: "EField | None", part: str = "") -> "tuple[EField, Surface, NDArray[np.float64], Scale]":
        """A field or the scene's own, the cortex, E (p, 3) on it, and its colors; `part` is what needs them."""
        shown = self.field if field is None else field
        if shown is None:
            raise InputError(f"{part} need a field; instead the scene has none: give {part}(field)")
        surface, e = cortex_with_field(shown, self.tag)
        return shown, surface, e, self.field_scale(np.linalg.norm(e, axis=1), surface, None)
