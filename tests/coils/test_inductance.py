"""Inductance against closed forms: Maxwell's rings, and a single turn of thick wire."""

import numpy as np
import pytest
from scipy.special import ellipe, ellipk

from efield.coils.gmd import rectangle_gmd_mm
from efield.coils.inductance import ASSUMED_GMD_MM, inductance
from efield.coils.model import Coil, SampledField
from efield.coils.shapes import circular
from efield.coils.winding import Winding

MU0 = 4e-7 * np.pi

#: Polygons of 8 mm sides in place of circles, and two Gauss points on each.
POLYGONS = 5e-4


def maxwell(a, b, distance):
    """Mutual inductance of two coaxial circles (Maxwell, Treatise, 1873)."""
    squared = 4 * a * b / ((a + b) ** 2 + distance**2)
    k = np.sqrt(squared)
    return MU0 * np.sqrt(a * b) * ((2 / k - k) * ellipk(squared) - 2 / k * ellipe(squared))


@pytest.mark.parametrize(("width", "height", "diameter"), [(2, 2, 100), (1.75, 6, 80), (4, 12, 90)])
def test_one_turn_of_rectangular_wire_has_the_inductance_of_the_textbooks(width, height, diameter):
    """mu0 R (ln(8 R / GMD) - 2), Grover 1946; it leaves out terms of the order of (height / R)^2."""
    coil = circular(Winding(diameter - width, diameter + width, 1, width, height), 0).coil("ring")
    radius, gmd = diameter / 2e3, rectangle_gmd_mm(width, height) / 1e3
    expected = MU0 * radius * (np.log(8 * radius / gmd) - 2)
    assert inductance(coil).henry == pytest.approx(expected, rel=POLYGONS + 0.1 * (height / diameter * 2) ** 2)


def test_a_pack_of_turns_is_the_sum_over_all_pairs_of_circles():
    """Between turns, Neumann's sum over polygons is Maxwell's formula for circles."""
    winding = Winding(40, 94, 15, 1.75, 6)
    segments = winding.segments()
    starts = np.asarray(segments.starts_mm)
    corners = np.round(np.column_stack([np.hypot(*starts[:, :2].T), starts[:, 2], segments.turns]), 6)
    rings, sides = np.unique(corners, axis=0, return_counts=True)
    # Each polygon has the area of its circle.
    rings[:, 0] *= np.sqrt(np.sin(2 * np.pi / sides) / (2 * np.pi / sides))
    total = 0.0
    for i, (a, z, share) in enumerate(rings):
        for j, (b, height, other) in enumerate(rings):
            total += share * other * maxwell(a / 1e3, b / 1e3, (segments.gmd_mm if i == j else z - height) / 1e3)
    found = inductance(circular(winding, 0).coil("pack")).henry
    assert found == pytest.approx(total, rel=POLYGONS)


def test_finer_sampling_of_the_wire_changes_it_little():
    winding = Winding(30, 46, 4, 1.75, 6)
    coarse, fine = (
        inductance(Coil(name="x", sources=(circular(winding, 4).segments(refinement=r),))).henry for r in (1, 2)
    )
    assert coarse == pytest.approx(fine, rel=2e-3)


def test_opposite_wings_weaken_and_twice_the_turns_give_four_times():
    starts = np.array([[0.0, 0, 0], [50, 0, 0], [50, 50, 0], [0, 50, 0]])
    ends = np.roll(starts, -1, axis=0)
    one = inductance(Coil.from_segments(starts, ends)).henry
    assert inductance(Coil.from_segments(starts, ends, 2)).henry == pytest.approx(4 * one, rel=1e-12)
    beside = np.array([52.0, 0, 0])
    both = Coil.from_segments(
        np.vstack([starts, starts + beside]), np.vstack([ends, ends + beside]), [1] * 4 + [-1] * 4
    )
    same = Coil.from_segments(np.vstack([starts, starts + beside]), np.vstack([ends, ends + beside]))
    # Side by side, equal senses link against each other.
    assert inductance(same).henry < 2 * one < inductance(both).henry


def test_a_square_of_round_wire_has_the_inductance_of_the_textbooks():
    """mu0 2 a / pi (ln(a / r) - 0.774 + 1/4) for a square of side a and solid round wire (Grover 1946)."""
    side = 0.4
    corners = 1e3 * side * np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    path = np.vstack(
        [np.linspace(a, b, 40, endpoint=False) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    )
    found = inductance(Coil.from_segments(path, np.roll(path, -1, axis=0)))
    assert found.thickness_assumed
    radius = ASSUMED_GMD_MM * np.exp(0.25) / 1e3
    expected = MU0 * 2 * side / np.pi * (np.log(side / radius) - 0.774 + 0.25)
    assert found.henry == pytest.approx(expected, rel=2e-3)


def test_without_closed_wires_there_is_no_inductance():
    assert inductance(Coil.from_dipoles([[0, 0, 0]], [[0, 0, 1]])) is None
    assert inductance(Coil.from_segments([[0, 0, 0]], [[10, 0, 0]])) is None
    assert inductance(Coil(name="s", sources=(SampledField(np.eye(4), np.ones((2, 2, 2, 3))),))) is None
