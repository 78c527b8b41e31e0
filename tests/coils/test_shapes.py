"""Wire geometry: discretization, equivalent dipoles, closed forms."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from efield.coils import catalog
from efield.coils.model import Coil
from efield.coils.primary import vector_potential
from efield.coils.shapes import circular, figure8
from efield.coils.winding import Winding
from efield.ground.errors import InputError


def potential(source, points):
    return vector_potential(Coil(name="source", sources=(source,)), points)


@pytest.fixture(scope="module")
def points_around():
    """The 400 points of a random cloud that come nearest to some sources but keep a distance."""

    def build(sources_mm, distance_mm):
        points = np.random.default_rng(8).uniform((-130, -90, -60), (130, 90, 120), (4000, 3))
        away, _ = cKDTree(sources_mm).query(points)
        order = np.argsort(away)
        return points[order[away[order] > distance_mm][:400]]

    return build


@pytest.mark.parametrize("name", catalog.names())
def test_finer_wires_change_a_by_less_than_a_thousandth_10_mm_away(name, points_around):
    assembly = catalog.assembly(name)
    points = points_around(assembly.segments(refinement=2).starts_mm, 10.0)
    fine = potential(assembly.segments(refinement=3), points)
    coarse = potential(assembly.segments(), points)
    assert abs(coarse - fine).max() < 1e-3 * abs(fine).max()


@pytest.mark.parametrize("name", catalog.names())
def test_each_turn_may_be_replaced_by_the_dipole_disc_it_bounds(name, points_around):
    assembly = catalog.assembly(name)
    dipoles = assembly.dipoles()
    points = points_around(dipoles.points_mm, 10.0)
    wires, discs = potential(assembly.segments(), points), potential(dipoles, points)
    assert abs(discs - wires).max() < 1e-3 * abs(wires).max()


def test_moment_of_a_winding_is_the_sum_of_its_turns_areas():
    winding = Winding(56, 87, 9, 1.75, 6)
    # <r^2> over the wire's width: the center line's square plus width^2 / 12.
    area_m2 = np.pi * (winding.radii_mm**2 + 1.75**2 / 12).sum() * 1e-6
    np.testing.assert_allclose(winding.dipoles().moments_am2.sum(axis=0), [0, 0, area_m2], rtol=1e-3, atol=1e-12)
    wires = winding.segments()
    moment = 0.5 * (wires.turns[:, None] * np.cross(wires.starts_mm, wires.ends_mm)).sum(axis=0) * 1e-6
    np.testing.assert_allclose(moment, [0, 0, area_m2], rtol=1e-12, atol=1e-12)


def test_radii_fill_the_pack_from_face_to_face():
    radii = Winding(56, 87, 9, 1.75, 6).radii_mm
    assert radii[0] == pytest.approx(28.875)
    assert radii[-1] == pytest.approx(42.625)
    assert len(radii) == 9


@pytest.mark.parametrize("clockwise", [False, True])
@pytest.mark.parametrize("spiral", [False, True])
def test_every_filament_closes_so_current_flows_out_nowhere(clockwise, spiral):
    wires = Winding(40, 80, 5, 2, 4, layers=2, clockwise=clockwise, spiral=spiral).segments()
    ends, starts = cKDTree(wires.ends_mm), wires.starts_mm
    distance, partner = ends.query(starts)
    assert distance.max() < 1e-9
    assert np.array_equal(wires.turns, wires.turns[partner])


def test_the_current_of_the_filaments_adds_up_to_the_turns():
    """Amperes crossing the half plane y = 0, x > 0 equal turns times layers."""
    wires = Winding(40, 80, 5, 2, 4, layers=2).segments()
    rising = (wires.starts_mm[:, 1] <= 0) & (wires.ends_mm[:, 1] > 0) & (wires.starts_mm[:, 0] > 0)
    assert wires.turns[rising].sum() == pytest.approx(10)


def test_a_spiral_differs_from_rings_by_its_lead_only_near_it():
    ring = figure8(Winding(56, 87, 9, 1.75, 6), 4)
    spiral = figure8(Winding(56, 87, 9, 1.75, 6, spiral=True), 4)
    points = np.array([[0.0, 0.0, 15.0], [30.0, 10.0, 10.0], [60.0, -30.0, 60.0]])
    a, b = potential(ring.segments(), points), potential(spiral.segments(), points)
    winding_detail = 0.03
    assert 1e-4 < abs(b - a).max() / abs(a).max() < winding_detail


def test_opening_the_wings_to_180_degrees_is_the_flat_coil():
    winding = Winding(96, 125, 7, 1.75, 6)
    flat, open_wide = figure8(winding, 4), figure8(winding, 4, opening_deg=180.0)
    assert np.array_equal(flat.segments().starts_mm, open_wide.segments().starts_mm)
    assert (flat.casing_points_mm[:, 2] == 0).all()


def test_wings_of_a_double_cone_enclose_the_given_angle_and_touch_at_the_hinge():
    cone = figure8(Winding(96, 125, 7, 1.75, 6), 4, opening_deg=100.0)
    left, right = (w.normal for w in cone.windings)
    assert np.degrees(np.arccos(left @ right)) == pytest.approx(180 - 100)
    right_wing = np.concatenate(cone.windings[0].polylines())
    assert 0 < right_wing[:, 0].min() < 1.75  # half a wire from the mirror plane
    tip = cone.casing_points_mm[cone.casing_points_mm[:, 0].argmax()]
    assert np.degrees(np.arctan2(tip[0], tip[2])) == pytest.approx(50)


def test_an_open_casing_lets_the_head_into_the_ring():
    ring = circular(Winding(66, 123, 14, 1.75, 6), 4, open_center=True).casing_points_mm
    assert np.hypot(ring[:, 0], ring[:, 1]).min() == pytest.approx(29)
    disc = circular(Winding(66, 123, 14, 1.75, 6), 4).casing_points_mm
    assert np.hypot(disc[:, 0], disc[:, 1]).min() == 0


def test_the_published_sphere_model_of_a_70_mm_figure8_is_reproduced(sphere_field):
    """Two wings of 9 thin turns, radii 28-43.5 mm, 10 mm above an 85 mm scalp, 1 A/us: |E| below the center."""
    thin = 1e-3
    wing = Winding(56 - thin, 87 + thin, 9, thin, thin)
    coil = figure8(wing, 0.0, separation_mm=87.0).dipoles(spacing_mm=4)
    dipoles = coil.points_mm * (-1, 1, -1) + (0, 0, 95)
    moments = coil.moments_am2 * (-1, 1, -1)
    below = np.array([[0.0, 0.0, 85.0 - depth] for depth in (15, 20, 25, 30, 35)])
    e = sphere_field(below, dipoles, moments, 1e6)
    last_printed_digit = 1e-3
    np.testing.assert_allclose(e[:, 1], [1.342, 1.047, 0.820, 0.642, 0.502], atol=last_printed_digit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turns": 0}, "turns must be a whole number"),
        ({"layers": 0}, "layers must be a whole number"),
        ({"inner_diameter_mm": 0.056}, "looks like meters"),
        ({"wire_width_mm": 0.0}, "wire_width_mm must be > 0"),
        ({"turns": 10}, "must fit between the inner and outer diameter"),
        ({"normal": (0, 0, 0)}, "zero vector"),
        ({"center_mm": (0, 0)}, "three numbers"),
    ],
)
def test_bad_windings_are_refused(change, message):
    values = {
        "inner_diameter_mm": 56,
        "outer_diameter_mm": 87,
        "turns": 9,
        "wire_width_mm": 1.75,
        "wire_height_mm": 6,
    }
    with pytest.raises(InputError, match=message):
        Winding(**{**values, **change})


def test_bad_assemblies_are_refused():
    winding = Winding(56, 87, 9, 1.75, 6)
    with pytest.raises(InputError, match="opening_deg must be between 60 and 180"):
        figure8(winding, 4, opening_deg=200)
    with pytest.raises(InputError, match="separation_mm must be > 0"):
        figure8(winding, 4, separation_mm=0)
    with pytest.raises(InputError, match="casing_mm must be between"):
        circular(winding, -1)
    with pytest.raises(InputError, match="spacing_mm must be > 0"):
        winding.dipoles(spacing_mm=0)
