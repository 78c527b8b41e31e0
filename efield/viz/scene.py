"""`Scene`: what there is to see, put together part by part, and drawn as a picture, a film or a page for browsers."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from efield.coils.polarity import induced_direction
from efield.ground import checks
from efield.ground.card import Card, counted, listed
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose, given_poses
from efield.head.surface import scalp
from efield.head.tissue import tissue_name
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.viz import field_shapes as fields
from efield.viz.cameras import camera
from efield.viz.coil_shapes import coil_shapes
from efield.viz.drawn_tissue import current_at
from efield.viz.field_parts import FieldParts
from efield.viz.map_shapes import map_shapes, pose_shape
from efield.viz.render import plotter_of
from efield.viz.saving import save_scene
from efield.viz.shapes import Glass, Shape
from efield.viz.showing import show_scene
from efield.viz.stage import Stage
from efield.viz.views import View

if TYPE_CHECKING:
    import xarray

#: Opacity of the scalp facing the viewer and at its silhouette: the cortex shows through, and the coil has a ground.
SCALP_GLASS: Final[Glass] = (0.22, 0.8)
_LAYER_GLASS: Final[Glass] = (0.12, 0.5)


class Scene(FieldParts):
    """What there is to see of a head; each method returns a scene with one part more, and the order does not matter.

    Parameters
    ----------
    head : HeadMesh
    field : EField, optional
        Set by `cortex` and `slices`.
    place : Target, optional
        Set by `target`.
    coils : tuple of (Coil, Pose)
        Set by `coil`.
    parts : tuple of callable

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> field = sim.solve(coil, ef.place_coil(head, "C3", coil=coil), didt=1e6)
    >>> scene = ef.viz.Scene(head).cortex(field).scalp().coil(coil, field.pose).target("C3")
    >>> [shape.name for shape in scene.shapes][:3]
    ['cortex', 'scalp', 'windings']
    """

    def scalp(self, opacity: float | None = None) -> Self:
        """The outer surface of the head as glass; `opacity` (0 to 1) is that of where it faces the viewer."""
        glass = _glass(opacity, SCALP_GLASS)
        return self._with(lambda scene: [Shape("scalp", scalp(scene.head), "scalp", glass=glass, closed=True)])

    def layer(self, tissue: int, opacity: float | None = None) -> Self:
        """The outer surface of a tissue (its tag) as glass, such as 4, bone."""
        if tissue not in self.head.tags:
            raise InputError(f"tissue must be one of the head's, {self.head.tags}; instead received {tissue}")
        name, glass = tissue_name(tissue), _glass(opacity, _LAYER_GLASS)

        def part(scene: Stage) -> list[Shape]:
            surface = fields.outer_surface(scene.head, tissue)
            return [Shape(name, surface, "plain", glass=glass, closed=True)]

        return self._with(part)

    def target(self, target: Place | None = None, *, size: float = 1.0, arrow: bool | None = None) -> Self:
        """A ball at the target that nothing hides, lifted out of its sulcus, and the direction of E there.

        Parameters
        ----------
        target : Target, str or (3,) array_like, optional
            A name such as ``"m1-hand-left"``, or a point in mm; without one the strongest field is marked.
        size : float
            Of the mark.
        arrow : bool, optional
            Draw the mean E within 5 mm; by default where no coil's arrow says the direction already.
        """

        def part(scene: Stage) -> list[Shape]:
            surface = fields.outer_surface(scene.head, scene.tag)
            crown = fields.above_cortex(surface, scene.center_mm, scene.outward)
            said = any(induced_direction(coil) is not None for coil, _ in scene.coils)
            wanted = not said if arrow is None else arrow
            shown = scene.field if wanted else None
            along = None if shown is None else current_at(shown, scene.tag, scene.center_mm)
            return fields.target_mark(crown, along, size)

        return self._with(part, place=self.place if target is None else target_of(self.head, target))

    def coil(self, coil: CoilLike, pose: Pose, *, handle: bool = True, current: bool = True) -> Self:
        """A coil where it is held: windings, casing, handle, and an arrow along the current it induces below.

        Parameters
        ----------
        coil : Coil, or its name or file
        pose : Pose
        handle : bool
            Draw a handle, which points along -y of the pose; its shape is made up. A casing that has one keeps it.
        current : bool
            Draw the arrow; it turns with the sign of dI/dt of the scene's field.
        """
        coil, held = the_coil(coil), given_pose(pose)

        def part(scene: Stage) -> list[Shape]:
            reverse = scene.field is not None and scene.field.didt < 0
            return coil_shapes(coil, held, handle=handle, current=current, reverse=reverse)

        return self._with(part, coils=(*self.coils, (coil, held)))

    def poses(self, poses: Any, values: ArrayLike | None = None, label: str = "value", unit: str = "") -> Self:
        """Many poses, an arrow each along the coil's y axis (away from the handle), colored by (k,) values if given.

        Parameters
        ----------
        poses : PoseTable, iterable of Pose, or (k, 4, 4) array_like
        values : (k,) array_like, optional
            Such as the field that each gives.
        label, unit : str
            Of the values, for the color bar.
        """
        given = given_poses(poses)
        return self._with(lambda scene: [pose_shape(given, values, label, unit)])

    def scalp_map(self, points_mm: ArrayLike, values: ArrayLike, label: str = "value", unit: str = "") -> Self:
        """Values at places on the scalp, painted between them; the largest is marked, 95, 90 and 80 % of it are lines.

        Parameters
        ----------
        points_mm : (k, 3) array_like, mm
        values : (k,) array_like
            nan where unknown.
        label, unit : str
            For the color bar.
        """
        return self._with(lambda scene: map_shapes(scalp(scene.head), points_mm, values, label, unit))

    def sweep(self, dataset: "xarray.Dataset", measure: str | None = None) -> Self:
        """The best value at each position of a sweep over a grid, painted on the scalp (see `efield.viz.sweep_map`)."""
        from efield.viz.map_panels import best_of_positions
        from efield.viz.maps import measure_of, short_name

        name = measure_of(dataset, measure)
        best = best_of_positions(dataset, name)
        known = best.placement[best.placement >= 0]
        centers = np.asarray(dataset["pose"].values)[known, :3, 3]
        values = best.value[best.placement >= 0]
        words = short_name(name), str(dataset[name].attrs.get("units", "V/m"))
        return self._with(lambda scene: map_shapes(scalp(scene.head), centers, values, *words, least=best.least))

    def view(self, view: str | View = "head", aspect: float = 1.0) -> View:
        """How the scene is seen from a camera with a name (see `efield.viz.cameras.NAMES`), or the view itself."""
        return camera(self, view, aspect)

    def save(self, path: str | PathLike[str], view: str | View | Sequence[str | View] = "head", **options: Any) -> Any:
        """Draw the scene and write it, completely or not at all; see `efield.viz.saving.save_scene`.

        ``.png``, ``.svg`` and ``.pdf`` are pictures, ``.html`` a page to turn it in, ``.gif`` and ``.mp4`` a turn.
        """
        return save_scene(path, self, view, **options)

    def show(self, view: str | View = "head", *, turnable: bool = False, **options: Any) -> Any:
        """Show it: a picture in a notebook, or with ``turnable`` a page to turn it in; elsewhere a window.

        Nothing is drawn before this is called: a picture of the default head takes seconds without a graphics card.
        """
        return show_scene(self, view, turnable=turnable, **options)

    def plotter(self, view: str | View = "head", **options: Any) -> Any:
        """The scene in a `pyvista.Plotter`, to add to it; see `efield.viz.render.plotter_of`."""
        return plotter_of([(self, view)], **options)

    def _card(self) -> Card:
        rows = (
            ("head", counted(len(self.head.points), "node")),
            ("target", "" if self.place is None else self.place.name),
            ("coils", listed(coil.name for coil, _ in self.coils)),
            ("parts", counted(len(self.parts), "part")),
        )
        return Card("Scene", rows)


def _glass(opacity: float | None, usual: Glass) -> Glass:
    if opacity is None:
        return usual
    facing = checks.in_range("opacity", opacity, 0.0, 1.0)
    return facing, max(facing, usual[1])
