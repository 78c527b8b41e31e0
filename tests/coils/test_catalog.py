"""The catalog's coils: names, sources, sanity, and the sign of their field."""

import os
from pathlib import Path

import numpy as np
import pytest

from efield.coils import catalog
from efield.coils.model import Segments
from efield.coils.primary import dadt
from efield.ground.errors import InputError
from efield.io.load import load_coil

FIGURE8 = [n for n in catalog.names() if "circular" not in n]


def test_the_coils_of_the_table_are_there():
    assert catalog.names() == (
        "magstim-70mm-figure8",
        "magstim-25mm-figure8",
        "magstim-70mm-circular",
        "circular-90mm",
        "magstim-double-cone",
        "magventure-c-b60",
        "magventure-mc-b70",
        "magventure-twin",
    )


@pytest.mark.parametrize("name", catalog.names())
def test_every_coil_says_where_it_comes_from_and_what_was_assumed(name):
    coil = catalog.load_named(name)
    assert "Deng" in coil.citation
    assert any("casing" in text for text in coil.assumptions)
    assert ("Drakaki" in coil.citation) == (coil.max_didt is not None)


@pytest.mark.parametrize("name", catalog.names())
def test_every_coil_is_made_of_enough_and_not_too_many_wire_pieces(name):
    """At least about 3000 for a figure-8 of 70 mm (Gomez 2020), few enough to stay fast."""
    (source,) = catalog.load_named(name).sources
    assert isinstance(source, Segments)
    assert 2000 < len(source) < 9000


@pytest.mark.parametrize("name", catalog.names())
def test_windings_lie_behind_the_casing_by_its_thickness(name):
    """Every wire keeps the casing's thickness from the casing's head-side face, and some wire is that near."""
    coil = catalog.load_named(name)
    wires = np.concatenate(coil.windings)
    winding = catalog.assembly(name).windings[0]
    gap = np.array([np.linalg.norm(coil.casing_points_mm - wire, axis=1).min() for wire in wires])
    expected = coil.casing_mm + winding.wire_height_mm / 2
    lattice = 3.0
    assert gap.min() >= expected - 1e-9
    assert gap.min() <= np.hypot(expected, lattice / np.sqrt(2))


@pytest.mark.parametrize("name", FIGURE8)
def test_a_rising_current_induces_e_along_the_handle_under_the_center(name, origin):
    e = -dadt(catalog.load_named(name), origin, [[0.0, 0.0, 15.0], [0.0, 0.0, 40.0]], 1e6)
    toward = -1 if "magventure" in name or "cone" in name else 1
    assert (toward * e[:, 1] > 0.1).all()
    assert abs(e[:, [0, 2]]).max() < 1e-9 * abs(e[:, 1]).max()


#: Models of other programs, whose ratio to the catalog at 20 mm is its stated uncertainty.
MEASURED = {
    "magstim-70mm-figure8": "MagStim_D70.ccd",
    "magstim-double-cone": "MagStim_DCC.ccd",
    "magventure-twin": "MagVenture_MST-Twin.tcd",
}


@pytest.mark.parametrize("name", catalog.names())
def test_every_coil_says_how_far_its_field_may_be_off(name):
    said = catalog.load_named(name).uncertainty
    assert ("measured model (" in said) == (
        name not in ("magstim-25mm-figure8", "magstim-70mm-circular", "circular-90mm")
    )
    assert "%" in said or "of this field" in said


@pytest.mark.parametrize(("name", "file"), MEASURED.items())
def test_the_stated_uncertainty_is_that_against_the_measured_model(name, file, origin):
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "foreign"
    path = Path(os.environ.get("EFIELD_FOREIGN_DATA", beside)) / file
    if not path.is_file():
        pytest.skip(f"{file} is not here; set EFIELD_FOREIGN_DATA to the folder that has it")
    ours, theirs = (
        dadt(coil, origin, [[0.0, 0.0, 20.0]], 1.0)[0, 1] for coil in (catalog.load_named(name), load_coil(path))
    )
    assert f"{theirs / ours:.2f} of this field" in catalog.load_named(name).uncertainty


@pytest.mark.parametrize("name", FIGURE8)
def test_wings_mirror_each_other(name, origin):
    points = np.random.default_rng(7).uniform(-60, 60, (40, 3)) + np.array([0, 0, 90])
    coil = catalog.load_named(name)
    mirrored = dadt(coil, origin, points * (-1, 1, 1), 1e6)
    a = dadt(coil, origin, points, 1e6)
    np.testing.assert_allclose(mirrored, a * (-1, 1, 1), atol=1e-9 * abs(a).max())


@pytest.mark.parametrize("name", ["magstim-70mm-circular", "circular-90mm"])
def test_a_round_coil_has_no_field_on_its_axis_and_current_counterclockwise(name, origin):
    coil = catalog.load_named(name)
    on_axis, beside = dadt(coil, origin, [[0.0, 0.0, 20.0], [40.0, 0.0, 20.0]], 1e6)
    assert np.linalg.norm(on_axis) < 1e-9 * np.linalg.norm(beside)
    assert beside[1] > 0


def test_names_and_aliases_are_found_in_any_case():
    assert catalog.load_named(" D70 ") is catalog.load_named("Magstim-70mm-Figure8")
    assert catalog.canonical_name("MC-B70") == "magventure-mc-b70"
    assert catalog.assembly("twin").windings[0].turns == 15


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'magventure-c-b60'"):
        catalog.load_named("magventure-c-b66")
    with pytest.raises(InputError, match="coil must be one of magstim-70mm-figure8"):
        catalog.load_named("zzzz")
