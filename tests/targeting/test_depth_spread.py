"""Depth and spread in a spherical head: against the closed form, scaling laws and published values."""

import numpy as np
import pytest

from efield.coils import catalog
from efield.coils.model import Coil
from efield.coils.shapes import figure8
from efield.coils.winding import Winding
from efield.fem.sphere import electric_field
from efield.ground.errors import InputError
from efield.targeting.depth_spread import cortical_field, depth_spread

#: d1/2 in cm and S1/2 in cm^2 of Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13, and what the paper's
#: table leaves open about the geometry.
PUBLISHED = {
    "magstim-70mm-figure8": (1.41, 14.8, ""),
    "magstim-25mm-figure8": (0.96, 6.46, ""),
    "magstim-70mm-circular": (1.44, 66.0, ""),
    "circular-90mm": (1.74, 87.4, ""),
    "magstim-double-cone": (1.98, 34.0, "hinge not given"),
    "magventure-c-b60": (1.33, 12.9, "stacking of the layers not given"),
    "magventure-mc-b70": (1.35, 13.9, "center distance and bend from another source"),
    "magventure-twin": (2.49, 78.3, "meaning of H inferred from these very values"),
}

#: The paper's distance from scalp to winding is not known to us, so one value was inferred for all coils: of 4, 5
#: and 6 mm the middle one leaves the smallest error over all coils (root mean square 3.9 %, against 4.2 and 4.0 %).
WINDING_TO_SCALP_MM = 5.0
TOLERANCE = 0.10


@pytest.mark.parametrize("name", catalog.names())
def test_catalog_coils_have_the_published_depth_and_spread_within_a_tenth(name, depth_spread_rows):
    coil = catalog.load_named(name)
    result = depth_spread(coil, distance_mm=WINDING_TO_SCALP_MM - coil.casing_mm)
    depth, spread, remark = PUBLISHED[name]
    ours = result.depth_mm / 10, result.spread_mm2 / 100
    if not depth_spread_rows:
        depth_spread_rows.append(f"{'coil':22} {'d1/2 cm':>17} {'':7} {'S1/2 cm2':>19}")
    depth_spread_rows.append(
        f"{name:22} {ours[0]:6.2f} ({depth:4.2f}) {ours[0] / depth - 1:+7.1%}"
        f" {ours[1]:8.1f} ({spread:4.1f}) {ours[1] / spread - 1:+7.1%}  {remark}"
    )
    assert ours == pytest.approx((depth, spread), rel=TOLERANCE)


@pytest.fixture(scope="module")
def wing_coils():
    """A bent figure-8 as wires and as dipoles, in the same casing."""
    wing = figure8(Winding(56, 87, 9, 1.75, 6), 4.0, opening_deg=150.0)
    casing = wing.casing_points_mm
    wires = wing.coil("wires")
    return wires, Coil(name="dipoles", sources=(wing.dipoles(),), casing_points_mm=casing)


def test_wires_and_their_dipole_discs_have_the_same_depth_and_spread(wing_coils):
    wires, dipoles = (depth_spread(coil, distance_mm=5.0) for coil in wing_coils)
    disc_quadrature = 5e-4
    assert dipoles.depth_mm == pytest.approx(wires.depth_mm, rel=disc_quadrature)
    assert dipoles.spread_mm2 == pytest.approx(wires.spread_mm2, rel=disc_quadrature)


def test_peak_and_depth_agree_with_the_closed_form_in_a_sphere():
    """A single radial dipole: |E| peaks on a ring of the cortex and falls off inward."""
    coil = Coil.from_dipoles([[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.01]])
    result = depth_spread(coil, distance_mm=15.0)
    polar = np.linspace(0, 0.8, 801)
    surface = 70.0 * np.column_stack([np.sin(polar), 0 * polar, np.cos(polar)])
    moment = [[0.0, 0.0, -0.01]]
    magnitude = np.linalg.norm(electric_field(surface, [[0.0, 0.0, 100.0]], moment, 1e6), axis=1)
    polar_grid = 2e-3  # |E| between nodes 1.8 degrees apart
    assert result.peak_v_per_m == pytest.approx(magnitude.max(), rel=polar_grid)
    ratio = np.linspace(0.3, 1, 701)
    deeper = (ratio[:, None, None] * surface).reshape(-1, 3)
    inside = np.linalg.norm(electric_field(deeper, [[0.0, 0.0, 100.0]], moment, 1e6), axis=1)
    deepest = 70 - 70 * ratio[(inside.reshape(701, -1) >= magnitude.max() / 2).any(axis=1)].min()
    shell_mm = 0.1
    assert result.depth_mm == pytest.approx(deepest, abs=shell_mm)


def test_the_field_on_the_cortex_is_where_the_closed_form_has_it():
    """A dipole beside the pole, tilted: no mirror and no turn of the coil leaves its field as it is."""
    coil = Coil.from_dipoles([[15.0, 8.0, 0.0]], [[0.004, 0.003, 0.01]])
    found = cortical_field(coil, distance_mm=15.0)
    place, moment = found.pose.to_head([[15.0, 8.0, 0.0]]), [found.pose.rotation @ [0.004, 0.003, 0.01]]
    true = np.linalg.norm(electric_field(found.points_mm.reshape(-1, 3), place, moment, 1e6), axis=1)
    assert np.abs(found.magnitude.ravel() - true).max() < 1e-3 * true.max()


def test_everything_twice_as_large_has_twice_the_depth_and_four_times_the_spread(wing_coils):
    small = wing_coils[1]
    dipoles = small.sources[0]
    large = Coil.from_dipoles(2 * dipoles.points_mm, 4 * dipoles.moments_am2)
    large = Coil(name="large", sources=large.sources, casing_points_mm=2 * small.casing_points_mm)
    a = depth_spread(small, distance_mm=5.0)
    b = depth_spread(large, distance_mm=10.0, head_radius_mm=170.0, cortex_depth_mm=30.0)
    assert b.depth_mm == pytest.approx(2 * a.depth_mm, rel=1e-9)
    assert b.spread_mm2 == pytest.approx(4 * a.spread_mm2, rel=1e-9)
    assert b.volume_mm3 == pytest.approx(8 * a.volume_mm3, rel=1e-9)


def test_a_coil_held_farther_away_reaches_deeper_but_weaker_and_wider():
    coil = catalog.load_named("magstim-70mm-figure8")
    near, far = depth_spread(coil, distance_mm=1.0), depth_spread(coil, distance_mm=20.0)
    assert far.depth_mm > near.depth_mm
    assert far.spread_mm2 > near.spread_mm2
    assert far.peak_v_per_m < 0.6 * near.peak_v_per_m


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance_mm": -1}, "distance_mm must be between"),
        ({"head_radius_mm": 0}, "head_radius_mm must be > 0"),
        ({"cortex_depth_mm": 85}, "must be less than the head's radius"),
    ],
)
def test_bad_heads_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        depth_spread(Coil.from_dipoles([[0, 0, 0]], [[0, 0, 1]]), **options)


def test_a_coil_without_a_casing_over_the_head_is_refused():
    aside = Coil.from_dipoles([[500.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    with pytest.raises(InputError, match="must have casing points over the head"):
        depth_spread(aside)
