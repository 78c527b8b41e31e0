"""Wires and the dipole sheets that replace them have one field; moments are those of the loops."""

import numpy as np
import pytest

from efield.coils import catalog
from efield.coils.casing import Casing
from efield.coils.equivalent import as_dipoles, net_moment, open_end_gap_mm, potential_error
from efield.coils.model import Coil, SampledField, Segments
from efield.ground.errors import InputError


def square(side=40.0, turns=3.0, shuffle=None):
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * side
    path = np.vstack(
        [np.linspace(a, b, 8, endpoint=False) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    )
    starts, ends = path, np.roll(path, -1, axis=0)
    order = np.arange(len(starts)) if shuffle is None else np.random.default_rng(shuffle).permutation(len(starts))
    return Coil.from_segments(starts[order], ends[order], turns)


@pytest.mark.parametrize("name", catalog.names())
def test_coils_of_the_catalog_keep_their_field_as_dipoles(name):
    coil = catalog.load_named(name)
    # The worst is the smallest coil, 42 mm wide and sampled every 4 mm: 3.2e-3.
    assert potential_error(as_dipoles(coil), coil) < 4e-3


def test_finer_dipoles_come_nearer():
    coil = catalog.load_named("circular-90mm")
    assert len(as_dipoles(coil)) < 3000
    assert potential_error(as_dipoles(coil), coil, distance_mm=40) < potential_error(as_dipoles(coil), coil)


def test_the_order_of_the_segments_does_not_matter():
    plain, mixed = as_dipoles(square()), as_dipoles(square(shuffle=1))
    assert potential_error(mixed, plain) < 1e-12


def test_the_moment_of_a_square_is_turns_times_area():
    assert net_moment(square()) == pytest.approx([0, 0, 3 * 0.04**2], rel=1e-12)
    assert net_moment(as_dipoles(square())) == pytest.approx([0, 0, 3 * 0.04**2], rel=1e-12)


def test_a_bent_loop_keeps_its_field():
    angle = np.linspace(0, 2 * np.pi, 41)
    path = np.column_stack([40 * np.cos(angle), 40 * np.sin(angle), -10 + 8 * np.cos(2 * angle)])
    path[-1] = path[0]
    coil = Coil.from_segments(path[:-1], path[1:])
    assert potential_error(as_dipoles(coil), coil) < 4e-3


def test_the_wings_of_a_figure8_cancel_in_the_net_moment():
    moment = net_moment(catalog.load_named("magstim-70mm-figure8"))
    assert np.abs(moment).max() < 1e-12


def test_all_else_of_the_coil_is_kept():
    coil = square().with_casing(Casing([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]], [[0, 1, 2]]))
    dipoles = as_dipoles(coil)
    assert dipoles.casing is coil.casing
    assert "dipoles" in dipoles.assumptions[-1]


def test_an_open_wire_is_refused_with_its_gap():
    wire = Segments([[0, 0, 0], [10, 0, 0]], [[10, 0, 0], [10, 7, 0]])
    assert open_end_gap_mm(wire) == pytest.approx(np.hypot(10, 7))
    with pytest.raises(InputError, match=r"12\.2 mm"):
        as_dipoles(Coil(name="open", sources=(wire,)))
    assert net_moment(Coil(name="open", sources=(wire,))) is None


def test_turns_that_change_on_the_way_are_an_open_wire():
    coil = square()
    changed = Coil.from_segments(coil.sources[0].starts_mm, coil.sources[0].ends_mm, [1.0] * 16 + [2.0] * 16)
    with pytest.raises(InputError, match="closed loops"):
        as_dipoles(changed)


def test_a_sampled_field_has_no_dipoles():
    sampled = Coil(name="s", sources=(SampledField(np.eye(4), np.ones((2, 2, 2, 3))),))
    assert net_moment(sampled) is None
    with pytest.raises(InputError, match="sampled field"):
        as_dipoles(sampled)
