"""Coils from wire geometry: round, flat figure-8, bent figure-8 and double cone.

Against three times finer sampling, A of every coil of the catalog changes by 6e-5 of its maximum or less at points
10 mm or more from the wire (measured; docs/coils.md).
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from efield.coils.model import Coil, Dipoles, Segments
from efield.coils.winding import DIPOLE_SPACING_MM, Winding
from efield.ground import checks
from efield.ground.arrays import FloatArray

#: Spacing of the points that cover the casing, in mm.
_CASING_SPACING_MM = 3.0


@dataclass(frozen=True, eq=False)
class Assembly:
    """Windings in the coil frame and the casing around them.

    Parameters
    ----------
    windings : tuple of Winding
        In series.
    casing_mm : float
        Distance from the windings' head-side face to the casing's.
    casing_points_mm : (c, 3) ndarray
        Points that cover the head-side face of the casing.
    """

    windings: tuple[Winding, ...]
    casing_mm: float
    casing_points_mm: FloatArray = field(repr=False)

    def segments(self, *, refinement: int = 1) -> Segments:
        """All windings as wire segments; see `Winding.segments`."""
        parts = [winding.segments(refinement=refinement) for winding in self.windings]
        return Segments(
            np.concatenate([part.starts_mm for part in parts]),
            np.concatenate([part.ends_mm for part in parts]),
            np.concatenate([part.turns for part in parts]),
            gmd_mm=parts[0].gmd_mm,  # the wings are wound of the same wire
        )

    def dipoles(self, *, spacing_mm: float = DIPOLE_SPACING_MM) -> Dipoles:
        """All windings as magnetic dipoles; see `Winding.dipoles`."""
        parts = [winding.dipoles(spacing_mm=spacing_mm) for winding in self.windings]
        return Dipoles(
            np.concatenate([part.points_mm for part in parts]),
            np.concatenate([part.moments_am2 for part in parts]),
        )

    def reversed(self) -> Self:
        """The same windings with the current the other way round: a figure-8 then induces along -y."""
        turned = tuple(replace(winding, clockwise=not winding.clockwise) for winding in self.windings)
        return replace(self, windings=turned)

    def coil(self, name: str, **facts: Any) -> Coil:
        """A coil of these windings, with wire segments as sources; what is known of it besides as in `Coil`."""
        return Coil(
            name=name,
            sources=(self.segments(),),
            windings=tuple(line for winding in self.windings for line in winding.polylines()),
            casing_mm=self.casing_mm,
            casing_points_mm=self.casing_points_mm,
            **facts,
        )


def circular(winding: Winding, casing_mm: float, *, open_center: bool = False) -> Assembly:
    """A flat round coil, current counterclockwise seen from the head.

    Parameters
    ----------
    winding : Winding
        Its center and orientation are replaced.
    casing_mm : float
        Distance from the winding's head-side face to the casing's.
    open_center : bool
        Whether the casing is a ring that the head may enter, rather than a disc.

    Raises
    ------
    InputError
        If `casing_mm` is negative or not finite.
    """
    casing = checks.in_range("casing_mm", casing_mm, 0, 100)
    depth = casing + winding.height_mm / 2
    placed = replace(winding, center_mm=np.array([0.0, 0.0, -depth]), normal=np.array([0.0, 0.0, 1.0]), clockwise=False)
    return Assembly((placed,), casing, _casing_face(winding, casing, open_center))


def figure8(
    winding: Winding,
    casing_mm: float,
    *,
    separation_mm: float | None = None,
    opening_deg: float = 180.0,
    open_center: bool = False,
) -> Assembly:
    """Two equal wings with opposite currents: flat, bent, or a double cone.

    Parameters
    ----------
    winding : Winding
        One wing; its center and orientation are replaced.
    casing_mm : float
        Distance from the winding's head-side face to the casing's.
    separation_mm : float, optional
        Distance between the wing centers, each measured along its wing from the hinge; by default the outer
        diameter, so that the wings touch.
    opening_deg : float
        Angle between the wings on the side of the head: 180 flat, about 100 for a double cone.
    open_center : bool
        Whether each wing's casing is a ring that the head may enter, rather than a disc.

    Raises
    ------
    InputError
        If the opening is not in [60, 180] degrees or a length is not positive.
    """
    casing = checks.in_range("casing_mm", casing_mm, 0, 100)
    tilt = np.radians((180.0 - checks.in_range("opening_deg", opening_deg, 60, 180)) / 2)
    touching = winding.outer_diameter_mm
    separation = touching if separation_mm is None else checks.positive("separation_mm", separation_mm)
    depth = casing + winding.height_mm / 2
    # The mid-planes of tilted wings meet behind the line where their casings meet: the center moves inward.
    along = separation / 2 - depth * np.tan(tilt)
    flat_casing = _casing_face(winding, casing, open_center) + np.array([along, 0.0, 0.0])
    flat_casing = flat_casing[flat_casing[:, 0] >= 0]
    wings, casings = [], []
    for side in (1.0, -1.0):
        outward = np.array([side * np.cos(tilt), 0.0, np.sin(tilt)])
        normal = np.array([-side * np.sin(tilt), 0.0, np.cos(tilt)])
        # Counterclockwise on the right (+x), clockwise on the left: in the middle both currents run along -y,
        # so A points to -y there and a rising current induces E = -dA/dt along +y.
        wings.append(replace(winding, center_mm=along * outward - depth * normal, normal=normal, clockwise=side < 0))
        casings.append(flat_casing[:, :1] * outward + flat_casing[:, 1:2] * np.array([0.0, 1.0, 0.0]))
    return Assembly(tuple(wings), casing, np.concatenate(casings))


def _casing_face(winding: Winding, casing_mm: float, open_center: bool) -> FloatArray:
    """Lattice points of the disc or ring in the plane z = 0 that covers a winding, its rims included."""
    outer = winding.outer_diameter_mm / 2 + casing_mm
    inner = max(winding.inner_diameter_mm / 2 - casing_mm, 0.0) if open_center else 0.0
    count = int(np.ceil(outer / _CASING_SPACING_MM))
    steps = _CASING_SPACING_MM * np.arange(-count, count + 1)
    lattice = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    radius = np.hypot(*lattice.T)
    rims = [_rim(r) for r in (inner, outer) if r > 0]
    points = np.concatenate([lattice[(radius >= inner) & (radius <= outer)], *rims])
    return np.column_stack([points, np.zeros(len(points))])


def _rim(radius_mm: float) -> FloatArray:
    count = int(np.ceil(2 * np.pi * radius_mm / _CASING_SPACING_MM))
    angle = 2 * np.pi * np.arange(count) / count
    return radius_mm * np.column_stack([np.cos(angle), np.sin(angle)])
