"""One winding: a pack of turns of rectangular wire, as wire segments or as equivalent magnetic dipoles.

The wire's cross-section is sampled by Gauss points, so that each turn becomes a few filaments that share its
current; each filament is a regular polygon whose area is that of its circle.
"""

from dataclasses import dataclass, field
from math import ceil

import numpy as np

from efield.coils.gmd import filament_gmd_mm
from efield.coils.model import Dipoles, Segments
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import InputError

#: Longest polygon side in mm. The field of the corners dies away as exp(-2 pi distance / side).
SIDE_MM = 8.0

#: Spacing of the dipoles that replace a winding, in mm; the same law holds.
DIPOLE_SPACING_MM = 5.0


@dataclass(frozen=True, eq=False, repr=False)
class Winding(Carded):
    """A pack of concentric turns of rectangular wire.

    Parameters
    ----------
    inner_diameter_mm, outer_diameter_mm : float
        Of the bare pack: from the inner face of the first turn to the outer face of the last.
    turns : int
        In one layer.
    wire_width_mm, wire_height_mm : float
        Wire size along the radius and along the normal.
    layers : int
        Layers stacked along the normal, in series.
    center_mm : (3,) array_like
        Center of the pack.
    normal : (3,) array_like
        Perpendicular to the turns, toward the head.
    clockwise : bool
        Sense of a positive current seen from the tip of `normal`; its moment then points against `normal`.
    spiral : bool
        Wind each layer as a spiral from the inside out, closed by a radial lead behind the pack. By default
        each turn is a closed ring.

    Raises
    ------
    InputError
        If a size is not positive or looks like meters, turns or layers are not whole, or the turns do not fit between
        the diameters.
    """

    inner_diameter_mm: float
    outer_diameter_mm: float
    turns: int
    wire_width_mm: float
    wire_height_mm: float
    layers: int = 1
    center_mm: FloatArray = field(default_factory=lambda: np.zeros(3))
    normal: FloatArray = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    clockwise: bool = False
    spiral: bool = False
    _frame: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("inner_diameter_mm", "outer_diameter_mm"):
            object.__setattr__(self, name, checks.length_mm(name, getattr(self, name)))
        for name in ("wire_width_mm", "wire_height_mm"):
            object.__setattr__(self, name, checks.positive(name, getattr(self, name)))
        for name in ("turns", "layers"):
            checks.whole(name, getattr(self, name), 1)
        room = (self.outer_diameter_mm - self.inner_diameter_mm) / 2
        # Published diameters are rounded to the millimeter, so a tight pack may seem to lack that much.
        if room < self.turns * self.wire_width_mm - 0.5:
            raise InputError(
                f"{self.turns} turns of {self.wire_width_mm:g} mm must fit between the inner and outer diameter; "
                f"instead there is room for {room:g} mm; widen outer_diameter_mm or take fewer turns"
            )
        normal = checks.unit_vector("normal", self.normal)
        object.__setattr__(self, "center_mm", checks.owned(checks.vector("center_mm", self.center_mm)))
        object.__setattr__(self, "normal", checks.read_only(normal))
        object.__setattr__(self, "_frame", checks.read_only(_axes_around(normal)))

    @property
    def radii_mm(self) -> FloatArray:
        """(turns,) radius of each turn's center line."""
        inner = (self.inner_diameter_mm + self.wire_width_mm) / 2
        outer = (self.outer_diameter_mm - self.wire_width_mm) / 2
        return np.linspace(inner, outer, self.turns) if self.turns > 1 else np.array([(inner + outer) / 2])

    @property
    def height_mm(self) -> float:
        """Height of the whole pack along its normal."""
        return self.layers * self.wire_height_mm

    def segments(self, *, refinement: int = 1) -> Segments:
        """The winding as wire segments.

        Parameters
        ----------
        refinement : int
            Divide the polygon sides by this, and add `refinement - 1` Gauss points along each side of the
            wire's cross-section; for convergence checks.
        """
        starts, ends, turns = [], [], []
        for radial, radial_share in _gauss(self.wire_width_mm, refinement):
            for path in self._paths(radial, SIDE_MM / refinement):
                for height, share in self._heights(refinement):
                    points = self._place(path, height)
                    starts.append(points[:-1])
                    ends.append(points[1:])
                    turns.append(np.full(len(points) - 1, radial_share * share))
        gmd = self._gmd_mm(refinement)
        return Segments(np.concatenate(starts), np.concatenate(ends), np.concatenate(turns), gmd_mm=gmd)

    def _gmd_mm(self, refinement: int) -> float:
        """What each filament of a turn stands for, so that the turn has the inductance of its rectangular wire."""
        radial, axial = _gauss(self.wire_width_mm, refinement), _gauss(self.wire_height_mm, refinement)
        offsets = np.array([(x, z) for x, _ in radial for z, _ in axial])
        shares = np.array([a * b for _, a in radial for _, b in axial])
        return filament_gmd_mm(offsets, shares, self.wire_width_mm, self.wire_height_mm)

    def dipoles(self, *, spacing_mm: float = DIPOLE_SPACING_MM) -> Dipoles:
        """The winding as magnetic dipoles: each turn replaced by the uniformly magnetized disc it bounds.

        The fields of disc and turn agree everywhere outside the disc (Ampere's theorem). The lead of a spiral
        is left out.

        Parameters
        ----------
        spacing_mm : float
            Distance between neighboring dipoles.
        """
        disc, turns_area_mm2 = self._disc(checks.positive("spacing_mm", spacing_mm))
        heights = self._heights(1)
        points = np.concatenate([self._place(disc, height) for height, _ in heights])
        strength = np.concatenate([share * turns_area_mm2 * 1e-6 for _, share in heights])
        moment = -self.normal if self.clockwise else self.normal
        return Dipoles(points, strength[:, None] * moment)

    def polylines(self) -> tuple[FloatArray, ...]:
        """Center line of every turn, as closed (p, 3) polylines in mm, for drawing."""
        levels = self._layer_heights()
        return tuple(self._place(path, level) for level in levels for path in self._paths(0.0, 4.0))

    def _layer_heights(self) -> FloatArray:
        levels: FloatArray = np.arange(self.layers, dtype=np.float64) - (self.layers - 1) / 2
        return np.asarray(self.wire_height_mm * levels)

    def _heights(self, refinement: int) -> list[tuple[float, float]]:
        """Height of each filament above the pack's mid-plane, and its share of the current."""
        samples = _gauss(self.wire_height_mm, refinement)
        return [(level + offset, share) for level in self._layer_heights() for offset, share in samples]

    def _paths(self, radial_offset: float, side_mm: float) -> list[FloatArray]:
        """Closed (p, 3) filaments around the origin, in the direction of a positive current."""
        radii = self.radii_mm + radial_offset
        if self.spiral:
            paths = [_closed_spiral(radii, side_mm, self.height_mm)]
        else:
            paths = [_polygon(radius, _sides(radius, side_mm)) for radius in radii]
        return [path[::-1] for path in paths] if self.clockwise else paths

    def _disc(self, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
        """(d, 3) quadrature points of the discs all turns bound, and (d,) turns times area in mm^2.

        The magnetization at a radius is the number of turns outside it; it steps at every filament.
        """
        samples = _gauss(self.wire_width_mm, 1)
        radii = np.concatenate([self.radii_mm + offset for offset, _ in samples])
        order = np.argsort(radii)
        shares = np.concatenate([np.full(self.turns, share) for _, share in samples])[order]
        turns_outside = np.cumsum(shares[::-1])[::-1]
        edges = np.concatenate([[0.0], radii[order]])
        points, weights = [], []
        for low, high, turns in zip(edges[:-1], edges[1:], turns_outside, strict=True):
            # Gauss in r, so that the inner disc's few wide panels still integrate exactly what r allows.
            half = (high - low) / 2
            nodes, parts = np.polynomial.legendre.leggauss(ceil(3 * half / spacing_mm) + 2 * int(low == 0))
            for radius, part in zip(low + half * (1 + nodes), half * parts, strict=True):
                number = _sides(radius, spacing_mm)
                points.append(circle(radius, number)[:-1])
                weights.append(np.full(number, turns * part * 2 * np.pi * radius / number))
        return np.concatenate(points), np.concatenate(weights)

    def _place(self, local_mm: FloatArray, height_mm: float) -> FloatArray:
        """Points of the winding's own frame, lifted along the normal, in the coil frame."""
        return np.asarray((local_mm + np.array([0.0, 0.0, height_mm])) @ self._frame.T + self.center_mm)

    def _card(self) -> Card:
        rows = (
            ("turns", f"{self.turns} in {counted(self.layers, 'layer')}"),
            ("diameters", f"{self.inner_diameter_mm:g} to {self.outer_diameter_mm:g} mm"),
            ("wire", f"{self.wire_width_mm:g} x {self.wire_height_mm:g} mm"),
        )
        return Card("Winding", rows)


def _gauss(width_mm: float, refinement: int) -> list[tuple[float, float]]:
    """Gauss points across a wire (offset in mm, share of the current); one more for every 5 mm of width."""
    nodes, weights = np.polynomial.legendre.leggauss(min(4, 1 + ceil(width_mm / 5)) + refinement - 1)
    return list(zip(width_mm / 2 * nodes, weights / 2, strict=True))


def _axes_around(normal: FloatArray) -> FloatArray:
    """(3, 3) right-handed axes as columns, z along `normal`, y as near to the coil's y as it can be."""
    reference = np.array([0.0, 1.0, 0.0]) if abs(normal[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    y = reference - (reference @ normal) * normal
    y /= np.linalg.norm(y)
    return np.column_stack([np.cross(y, normal), y, normal])


def _sides(radius_mm: float, side_mm: float) -> int:
    """Sides of a filament: even, so that the two wings of a figure-8 are mirror images."""
    return max(12, 2 * ceil(np.pi * radius_mm / side_mm))


def circle(radius_mm: float, number: int) -> FloatArray:
    """Closed (number + 1, 3) polygon, counterclockwise."""
    angle = 2 * np.pi * np.arange(number + 1) / number
    angle[-1] = 0.0
    return radius_mm * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(number + 1)])


def _polygon(radius_mm: float, number: int) -> FloatArray:
    """A regular polygon with the area, and so the magnetic moment, of its circle."""
    return circle(radius_mm * _equal_area(number), number)


def _equal_area(number: int) -> float:
    step = 2 * np.pi / number
    return float(np.sqrt(step / np.sin(step)))


def _closed_spiral(radii_mm: FloatArray, side_mm: float, height_mm: float) -> FloatArray:
    """A spiral through the turns' mean radii, and the lead that closes it 2 mm behind the pack."""
    number = _sides(radii_mm[-1], side_mm)
    pitch = radii_mm[1] - radii_mm[0] if len(radii_mm) > 1 else 0.0
    turn = np.arange(number * len(radii_mm) + 1) / number
    radius = (radii_mm[0] + pitch * (turn - 0.5)) * _equal_area(number)
    spiral = np.column_stack([radius * np.cos(2 * np.pi * turn), radius * np.sin(2 * np.pi * turn), 0 * turn])
    behind = -(height_mm + 2.0)
    lead = [(radius[-1], 0.0, behind), (radius[0], 0.0, behind), (radius[0], 0.0, 0.0)]
    return np.concatenate([spiral, np.array(lead)])
