"""`Scene`: what there is to see, put together part by part, and drawn as a picture, a film or a page for browsers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.polarity import induced_direction
from efield.ground import checks
from efield.ground.card import Card, Carded, counted, listed
from efield.ground.errors import InputError
from efield.ground.pose import given_pose, given_poses
from efield.head.surface import scalp
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name
from efield.io.volumes.image import image_of
from efield.targeting.naming import target_of
from efield.viz import field_shapes as fields
from efield.viz import palette
from efield.viz.coil_shapes import coil_shapes
from efield.viz.drawn_tissue import drawn_tissue, strongest_point
from efield.viz.map_shapes import map_shapes, pose_shape
from efield.viz.planes import Plane, plane_shape
from efield.viz.scale import Scale, difference_scale, field_scale
from efield.viz.shapes import Glass, Shape
from efield.viz.streamlines import streamline_shape
from efield.viz.uncertainty_map import SHOWN, on_nodes
from efield.viz.views import View, outward_at

if TYPE_CHECKING:
    import xarray

    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.head.mesh import HeadMesh
    from efield.io.volumes.image import HeadImage
    from efield.planning.uncertain_measures import Uncertainty
    from efield.targeting.field import EField
    from efield.targeting.naming import Place
    from efield.targeting.targets import Target

#: Opacity of the scalp facing the viewer and at its silhouette: the cortex shows through, and the coil has a ground.
SCALP_GLASS: Final[Glass] = (0.22, 0.8)
_LAYER_GLASS: Final[Glass] = (0.12, 0.5)

#: Makes the shapes of one part, when all of the scene is known.
Part = Callable[["Scene"], Iterable[Shape]]


@dataclass(frozen=True, eq=False, repr=False)
class Scene(Carded):
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

    head: "HeadMesh"
    field: "EField | None" = None
    place: "Target | None" = None
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

    def _with(self, part: Part, **changes: Any) -> "Scene":
        return replace(self, parts=(*self.parts, part), **changes)

    def cortex(
        self, field: "EField | None" = None, *, tissue: int | None = None, limit: float | None = None
    ) -> "Scene":
        """The surface of a tissue, colored by |E|.

        Parameters
        ----------
        field : EField, optional
            Plain gray without one.
        tissue : int, optional
            Tag of the tissue; by default gray matter, or what the head has instead.
        limit : float, V/m, optional
            Upper end of the colors, to compare pictures; by default the 99.9th percentile within 40 mm of the
            target, rounded up.
        """

        def part(scene: "Scene") -> list[Shape]:
            tag = scene.tag if tissue is None else tissue
            if field is None:
                return [Shape("cortex", fields.outer_surface(scene.head, tag), "plain", closed=True)]
            surface, e = fields.cortex_with_field(field, tag)
            values = np.linalg.norm(e, axis=1)
            return [Shape("cortex", surface, "plain", values, scene.field_scale(values, surface, limit), closed=True)]

        return self._with(part, field=self._only_field(field))

    def painted(self, values: ArrayLike, label: str = "value", unit: str = "", limit: float | None = None) -> "Scene":
        """The cortex colored by values at the head's nodes, from zero up; plain where they are nan.

        Parameters
        ----------
        values : (n,) array_like
            Not below zero.
        label, unit : str
            For the color bar.
        limit : float, optional
            Upper end of the colors; by default the largest value on the cortex, rounded up.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape != (len(self.head.points),):
            raise InputError(f"values must be one for each of {len(self.head.points)} nodes; instead {given.shape}")

        def part(scene: "Scene") -> list[Shape]:
            surface = fields.outer_surface(scene.head, scene.tag)
            shown = given[surface.nodes]
            largest = float(np.nanmax(shown, initial=0.0))
            high = checks.positive("limit", limit) if limit is not None else palette.rounded_up(largest or 1.0)
            return [Shape("cortex", surface, "plain", shown, Scale(label, unit, 0.0, high), closed=True)]

        return self._with(part)

    def uncertainty(self, sure: "Uncertainty", show: str = "width", limit: float | None = None) -> "Scene":
        """The cortex colored by how sure |E| is there, as far as the map of `sure` reaches.

        Parameters
        ----------
        sure : Uncertainty
            Of this head, made with ``region_mm``.
        show : {"width", "sd", "share", "mean"}
            Width of the interval from 5 to 95 %, standard deviation, that in percent of the mean, or the mean.
        limit : float, optional
            Upper end of the colors.
        """
        return self.painted(on_nodes(self.head, sure, show), *SHOWN[show], limit=limit)

    def streamlines(self, field: "EField | None" = None) -> "Scene":
        """Lines along E through the brain from within 18 mm of the target, 30 mm each way; of the scene's field.

        They are inside: leave the cortex out, or show it as glass with ``layer(2, 0.05)``.
        """

        def part(scene: "Scene") -> list[Shape]:
            shown = scene.field if field is None else field
            if shown is None:
                raise InputError("streamlines need a field; instead the scene has none: give streamlines(field)")
            surface, e = fields.cortex_with_field(shown, scene.tag)
            scale = scene.field_scale(np.linalg.norm(e, axis=1), surface, None)
            found = streamline_shape(shown, scene.center_mm, scale)
            return [] if found is None else [found]

        return self._with(part, field=self._only_field(field))

    def field_scale(self, magnitude: NDArray[np.float64], surface: Any, limit: float | None) -> Scale:
        """The colors of |E| (p,) on a surface of this scene, to `limit` V/m if that is given."""
        if limit is not None:
            return Scale("|E|", "V/m", 0.0, checks.positive("limit", limit))
        return field_scale(magnitude, surface.points_mm, None if self.place is None else self.place.center_mm)

    def _only_field(self, field: "EField | None") -> "EField | None":
        if field is not None and field.head is not self.head:
            raise InputError("the field must be of the scene's head; instead it was computed in another one")
        return self.field if field is None else field

    def difference(self, first: "EField", second: "EField", label: str = "difference of |E|") -> "Scene":
        """The cortex colored by |E| of `second` less |E| of `first`, around zero."""

        def part(scene: "Scene") -> list[Shape]:
            surface, one = fields.cortex_with_field(first, scene.tag)
            other = fields.cortex_with_field(second, scene.tag)[1]
            values = np.linalg.norm(other, axis=1) - np.linalg.norm(one, axis=1)
            return [Shape("cortex", surface, "plain", values, difference_scale(values, label), closed=True)]

        self._only_field(second)
        return self._with(part, field=self._only_field(first))

    def scalp(self, opacity: float | None = None) -> "Scene":
        """The outer surface of the head as glass; `opacity` (0 to 1) is that of where it faces the viewer."""
        glass = _glass(opacity, SCALP_GLASS)
        return self._with(lambda scene: [Shape("scalp", scalp(scene.head), "scalp", glass=glass, closed=True)])

    def layer(self, tissue: int, opacity: float | None = None) -> "Scene":
        """The outer surface of a tissue (its tag) as glass, such as 4, bone."""
        if tissue not in self.head.tags:
            raise InputError(f"tissue must be one of the head's, {self.head.tags}; instead received {tissue}")
        name, glass = tissue_name(tissue), _glass(opacity, _LAYER_GLASS)

        def part(scene: "Scene") -> list[Shape]:
            surface = fields.outer_surface(scene.head, tissue)
            return [Shape(name, surface, "plain", glass=glass, closed=True)]

        return self._with(part)

    def slices(
        self,
        field: "EField",
        planes: str = "xyz",
        at_mm: ArrayLike | None = None,
        *,
        image: "HeadImage | str | PathLike[str] | None" = None,
    ) -> "Scene":
        """Planes through the head with |E| in the brain and plain fills outside it; or with the field over an image.

        Parameters
        ----------
        field : EField
        planes : str
            The axes they are perpendicular to: any of x (sagittal), y (coronal) and z (axial).
        at_mm : (3,) array_like, optional
            Where they meet; the target by default.
        image : HeadImage or file, optional
            A T1 in the head's coordinates (``.nii``, ``.nii.gz``, ``.mgz``), below the field: it is seen where |E| is
            less than 40 % of the upper end of the colors, the better the weaker the field is.
        """
        shown = None if image is None else image_of(image)
        if not planes or not set(planes) <= set("xyz"):
            raise InputError(f"planes must be some of x, y and z, such as 'xz'; instead received {planes!r}")

        def part(scene: "Scene") -> list[Shape]:
            where = scene.center_mm if at_mm is None else checks.point_mm("at_mm", at_mm)
            tags = tuple(sorted({scene.tag} | ({GRAY_MATTER, WHITE_MATTER} & set(scene.head.tags))))
            surface, e = fields.cortex_with_field(field, scene.tag)
            scale = scene.field_scale(np.linalg.norm(e, axis=1), surface, None)
            axes = ["xyz".index(plane) for plane in planes]
            if shown is not None:
                cuts = [Plane.through(field.head, axis, float(where[axis])) for axis in axes]
                return [plane_shape(field, one, tags, scale, shown) for one in cuts]
            return [s for axis in axes for s in fields.slice_shapes(field, axis, float(where[axis]), tags, scale)]

        return self._with(part, field=self._only_field(field))

    def arrows(self, field: "EField | None" = None) -> "Scene":
        """Arrows of E on the crowns of the gyri within 45 mm of the target, as long as |E|; of the scene's field."""

        def part(scene: "Scene") -> list[Shape]:
            shown = scene.field if field is None else field
            if shown is None:
                raise InputError("arrows need a field; instead the scene has none: give arrows(field)")
            surface, e = fields.cortex_with_field(shown, scene.tag)
            limit = scene.field_scale(np.linalg.norm(e, axis=1), surface, None).high
            found = fields.field_arrows(surface, e, limit, scene.center_mm, scene.outward)
            return [] if found is None else [found]

        return self._with(part, field=self._only_field(field))

    def target(self, target: "Place | None" = None, *, size: float = 1.0, arrow: bool | None = None) -> "Scene":
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

        def part(scene: "Scene") -> list[Shape]:
            surface = fields.outer_surface(scene.head, scene.tag)
            crown = fields.above_cortex(surface, scene.center_mm, scene.outward)
            said = any(induced_direction(coil) is not None for coil, _ in scene.coils)
            wanted = not said if arrow is None else arrow
            shown = scene.field if wanted else None
            along = None if shown is None else fields.current_at(shown, scene.tag, scene.center_mm)
            return fields.target_mark(crown, along, size)

        return self._with(part, place=self.place if target is None else target_of(self.head, target))

    def coil(self, coil: "Coil", pose: "Pose", *, handle: bool = True, current: bool = True) -> "Scene":
        """A coil where it is held: windings, casing, handle, and an arrow along the current it induces below.

        Parameters
        ----------
        coil : Coil
        pose : Pose
        handle : bool
            Draw a handle, which points along -y of the pose; its shape is made up. A casing that has one keeps it.
        current : bool
            Draw the arrow; it turns with the sign of dI/dt of the scene's field.
        """
        held = given_pose(pose)

        def part(scene: "Scene") -> list[Shape]:
            reverse = scene.field is not None and scene.field.didt < 0
            return coil_shapes(coil, held, handle=handle, current=current, reverse=reverse)

        return self._with(part, coils=(*self.coils, (coil, held)))

    def poses(self, poses: Any, values: ArrayLike | None = None, label: str = "value", unit: str = "") -> "Scene":
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

    def scalp_map(self, points_mm: ArrayLike, values: ArrayLike, label: str = "value", unit: str = "") -> "Scene":
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

    def sweep(self, dataset: "xarray.Dataset", measure: str | None = None) -> "Scene":
        """The best value at each position of a sweep over a grid, painted on the scalp (see `efield.viz.sweep_map`)."""
        from efield.viz.map_panels import best_of_positions
        from efield.viz.maps import measure_of, short_name

        name = measure_of(dataset, measure)
        best = best_of_positions(dataset, name)
        known = best.placement[best.placement >= 0]
        centers = np.asarray(dataset["pose"].values)[known, :3, 3]
        values = best.value[best.placement >= 0]
        return self.scalp_map(centers, values, short_name(name), dataset[name].attrs.get("units", "V/m"))

    def view(self, view: "str | View" = "head", aspect: float = 1.0) -> View:
        """How the scene is seen from a camera with a name (see `efield.viz.cameras.NAMES`), or the view itself."""
        from efield.viz.cameras import camera

        return camera(self, view, aspect)

    def save(
        self, path: str | PathLike[str], view: "str | View | Sequence[str | View]" = "head", **options: Any
    ) -> Any:
        """Draw the scene and write it, completely or not at all; see `efield.viz.saving.save_scene`.

        ``.png``, ``.svg`` and ``.pdf`` are pictures, ``.html`` a page to turn it in, ``.gif`` and ``.mp4`` a turn.
        """
        from efield.viz.saving import save_scene

        return save_scene(path, self, view, **options)

    def show(self, view: "str | View" = "head", *, turnable: bool = False, **options: Any) -> Any:
        """Show it: a picture in a notebook, or with ``turnable`` a page to turn it in; elsewhere a window.

        Nothing is drawn before this is called: a picture of the default head takes seconds without a graphics card.
        """
        from efield.viz.showing import show_scene

        return show_scene(self, view, turnable=turnable, **options)

    def plotter(self, view: "str | View" = "head", **options: Any) -> Any:
        """The scene in a `pyvista.Plotter`, to add to it; see `efield.viz.render.plotter_of`."""
        from efield.viz.render import plotter_of

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
