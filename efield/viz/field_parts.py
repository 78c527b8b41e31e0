"""The parts of a scene that show a field: on the cortex, in planes, along lines, as arrows, and how sure it is."""

from os import PathLike
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.volumes.image import HeadImage
from efield.planning.uncertain_measures import Uncertainty
from efield.viz import field_shapes as fields
from efield.viz import palette
from efield.viz.nodal import magnitudes
from efield.viz.planes import Plane, image_over, plane_shape
from efield.viz.scale import Scale, difference_scale
from efield.viz.shapes import Shape
from efield.viz.stage import Stage
from efield.viz.streamlines import streamline_shape
from efield.viz.uncertainty_map import SHOWN, on_nodes

if TYPE_CHECKING:
    from efield.targeting.field import EField


class FieldParts(Stage):
    """The parts of a scene that show a field; see `Scene`."""

    def cortex(self, field: "EField | None" = None, *, tissue: int | None = None, limit: float | None = None) -> Self:
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

        def part(scene: Stage) -> list[Shape]:
            tag = scene.tag if tissue is None else tissue
            if field is None:
                return [Shape("cortex", fields.outer_surface(scene.head, tag), "plain", closed=True)]
            surface, e = fields.cortex_with_field(field, tag)
            values = np.linalg.norm(e, axis=1)
            return [Shape("cortex", surface, "plain", values, scene.field_scale(values, surface, limit), closed=True)]

        return self._with(part, field=self._only_field(field))

    def painted(self, values: ArrayLike, label: str = "value", unit: str = "", limit: float | None = None) -> Self:
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

        def part(scene: Stage) -> list[Shape]:
            surface = fields.outer_surface(scene.head, scene.tag)
            shown = given[surface.nodes]
            largest = float(np.nanmax(shown, initial=0.0))
            high = checks.positive("limit", limit) if limit is not None else palette.rounded_up(largest or 1.0)
            return [Shape("cortex", surface, "plain", shown, Scale(label, unit, 0.0, high), closed=True)]

        return self._with(part)

    def uncertainty(self, sure: Uncertainty, show: str = "width", limit: float | None = None) -> Self:
        """The cortex colored by how sure |E| is there, as far as the map of `sure` reaches.

        Parameters
        ----------
        sure : Uncertainty
            Of this head, made with ``region_mm``.
        show : {"width", "sd", "share", "mean"}
            Width of the interval from 5 to 95 %, standard deviation, that in percent of the mean, or the mean.
        limit : float, optional
            Upper end of the colors; by default that of `cortex`, so that the width in deep walls does not darken all.
        """
        values, (label, unit) = on_nodes(self.head, sure, show), SHOWN[show]

        def part(scene: Stage) -> list[Shape]:
            surface = fields.outer_surface(scene.head, scene.tag)
            shown = values[surface.nodes]
            scale = scene.field_scale(shown, surface, limit, label, unit)
            return [Shape("cortex", surface, "plain", shown, scale, closed=True)]

        return self._with(part)

    def streamlines(self, field: "EField | None" = None) -> Self:
        """Lines along E through the brain from within 18 mm of the target, 30 mm each way; of the scene's field.

        They are inside: leave the cortex out, or show it as glass with ``layer(2, 0.05)``.
        """

        def part(scene: Stage) -> list[Shape]:
            shown, *_, scale = scene.on_cortex(field, "streamlines")
            found = streamline_shape(shown, scene.center_mm, scale)
            return [] if found is None else [found]

        return self._with(part, field=self._only_field(field))

    def difference(self, first: "EField", second: "EField", label: str = "difference of |E|") -> Self:
        """The cortex colored by |E| of `second` less |E| of `first`, around zero."""

        def part(scene: Stage) -> list[Shape]:
            surface, one = fields.cortex_with_field(first, scene.tag)
            other = fields.cortex_with_field(second, scene.tag)[1]
            values = np.linalg.norm(other, axis=1) - np.linalg.norm(one, axis=1)
            return [Shape("cortex", surface, "plain", values, difference_scale(values, label), closed=True)]

        self._only_field(second)
        return self._with(part, field=self._only_field(first))

    def slices(
        self,
        field: "EField",
        planes: str = "xyz",
        at_mm: ArrayLike | None = None,
        *,
        image: HeadImage | str | PathLike[str] | None = None,
    ) -> Self:
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
        shown = None if image is None else image_over(self.head, image)
        if not planes or not set(planes) <= set("xyz"):
            raise InputError(f"planes must be some of x, y and z, such as 'xz'; instead received {planes!r}")

        def part(scene: Stage) -> list[Shape]:
            where = scene.center_mm if at_mm is None else checks.point_mm("at_mm", at_mm)
            scale, nodal = scene.on_cortex(field)[-1], magnitudes(field)
            places = [(axis, float(where[axis])) for axis in map("xyz".index, planes)]
            if shown is not None:
                cuts = [Plane.through(field.head, *place) for place in places]
                return [plane_shape(field.head, one, nodal, scale, shown) for one in cuts]
            return [shape for place in places for shape in fields.slice_shapes(field.head, *place, nodal, scale)]

        return self._with(part, field=self._only_field(field))

    def arrows(self, field: "EField | None" = None) -> Self:
        """Arrows of E on the crowns of the gyri within 45 mm of the target, as long as |E|; of the scene's field."""

        def part(scene: Stage) -> list[Shape]:
            _, surface, e, scale = scene.on_cortex(field, "arrows")
            found = fields.field_arrows(surface, e, scale.high, scene.center_mm, scene.outward)
            return [] if found is None else [found]

        return self._with(part, field=self._only_field(field))
