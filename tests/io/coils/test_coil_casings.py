"""Casings and stimulators of .tcd files."""

import numpy as np

from efield.coils.casing import Casing
from efield.coils.model import Coil, Dipoles
from efield.io.coils.tcd import read_tcd, read_tcd_file, write_tcd
from efield.io.coils.tcd_model import Casing as TcdCasing
from efield.io.coils.tcd_model import Deformation, DeformRange, Element, TcdCoil, TcdStimulator

TRIANGLE = Casing([[0.0, 0, 0], [50, 0, 0], [0, 50, 0]], [[0, 1, 2]])
DIPOLE = Dipoles([[0, 0, -5.0]], [[0, 0, 1.0]])


def test_a_casing_survives_tcd(tmp_path):
    write_tcd(tmp_path / "a.tcd", Coil(name="a", sources=(DIPOLE,)).with_casing(TRIANGLE))
    again = read_tcd(tmp_path / "a.tcd")
    assert np.array_equal(again.casing.corners_mm, TRIANGLE.corners_mm)


def test_the_casing_of_an_element_moves_with_it():
    shape = TcdCasing(TRIANGLE.points_mm, np.array([[0, 1, 2]]))
    file = TcdCoil(
        name="a",
        elements=(Element("e", DIPOLE, casing=0, deformations=(0,)),),
        casings=(shape,),
        casing=0,
        deformations=(Deformation(0, "z"),),
        ranges=(DeformRange(0.0, -10.0, 10.0),),
    )
    corners = file.coil({"z-0": -7.0}).casing.corners_mm
    assert np.array_equal(corners[0], TRIANGLE.corners_mm[0])
    assert np.array_equal(corners[1], TRIANGLE.corners_mm[0] - [0, 0, 7])


def test_each_stimulator_is_a_coil_of_its_own(tmp_path):
    file = TcdCoil(
        name="two",
        elements=(Element("a", DIPOLE, 1), Element("b", DIPOLE, 0), Element("c", DIPOLE, 1)),
        stimulators=(TcdStimulator("first", max_didt=1e8), TcdStimulator("second", max_didt=2e8)),
    )
    write_tcd(tmp_path / "two.tcd", file)
    first, second = read_tcd_file(tmp_path / "two.tcd").coils()
    assert (len(first), len(second)) == (1, 2)
    assert (first.max_didt, second.max_didt) == (1e8, 2e8)


def test_without_stimulators_there_is_one_coil():
    assert len(TcdCoil(name="one", elements=(Element("a", DIPOLE),)).coils()) == 1


def test_a_foreign_casing_is_around_its_dipoles(foreign):
    coil = read_tcd(foreign("MagVenture_MST-Twin.tcd"))
    assert len(coil.casing) > 100_000
    low, high = coil.casing.points_mm.min(axis=0), coil.casing.points_mm.max(axis=0)
    # In this file some dipoles of one wing lie up to 1.5 mm outside the casing.
    low, high = low - 1.6, high + 1.6
    for source in coil.sources:
        assert ((source.points_mm > low) & (source.points_mm < high)).all()
