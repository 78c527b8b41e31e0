"""Parts that move and stimulators are chosen behind a coil file's name, and what was not chosen is said."""

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from efield.coils.model import Coil, Dipoles
from efield.ground.errors import InputError
from efield.io.coils.tcd import read_tcd_file, write_tcd
from efield.io.coils.tcd_model import Deformation, DeformRange, Element, TcdCoil, TcdStimulator
from efield.io.load import load_coil


def two_wings(names=("A", "B")) -> TcdCoil:
    """Two wings that hinge about the y axis, each with a stimulator of its own."""
    wing = np.array([[20.0, 0, -5], [30, 0, -5]]), np.array([[0, 0, 1.0], [0, 0, 1]])
    axis = np.zeros(3), np.array([0.0, 1, 0])
    return TcdCoil(
        name="hinged",
        elements=(
            Element("left", Dipoles(wing[0] * (-1, 1, 1), wing[1]), 0, None, (0,)),
            Element("right", Dipoles(*wing), 1, None, (1,)),
        ),
        stimulators=tuple(TcdStimulator(name, max_didt=1e8) for name in names),
        deformations=(Deformation(0, "rot2p", *axis), Deformation(1, "rot2p", *axis), Deformation(1, "z")),
        ranges=(DeformRange(0, -20, 20), DeformRange(5, 0, 20)),
    )


@pytest.fixture
def path(tmp_path):
    write_tcd(tmp_path / "hinged.tcd", two_wings())
    return tmp_path / "hinged.tcd"


@pytest.mark.parametrize("stimulator", ["A", "0"])
def test_choices_behind_the_name_are_those_of_the_file(path, stimulator):
    wanted = read_tcd_file(path).coil({"rot2p-0": -7.5}, stimulator="A").sources[0]
    by_name = load_coil(f"{path}:rot2p-0=-7.5, stimulator={stimulator}").sources[0]
    by_argument = load_coil(path, settings={"rot2p-0": -7.5}, stimulator="A").sources[0]
    assert_array_equal(by_name.points_mm, wanted.points_mm)
    assert_array_equal(by_argument.points_mm, wanted.points_mm)
    assert not np.allclose(wanted.points_mm, two_wings().elements[0].source.points_mm)


def test_a_coil_says_where_its_parts_are_and_who_said_so(path):
    coil = load_coil(f"{path}:rot2p-0=-7.5,stimulator=B")
    assert coil.assumptions == (
        "setting rot2p-0 = -7.5, from -20 to 20 degrees",
        "setting rot2p-1 = 5 (initial), from 0 to 20 degrees",
    )
    assert coil.citation == "hinged.tcd, as read"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("", r"stimulator must be chosen.*0 \(A\), 1 \(B\).*hinged\.tcd:stimulator=0"),
        (":rot2p-0=10", "stimulator must be chosen"),
        (":stimulator=C", "one of A, B"),
        (":stimulator=2", "one of 0, 1"),
        (":stimulator=A,rot2p-9=1", "did you mean 'rot2p-1'"),
        (":stimulator=A,rot2p-0=21", "between -20 and 20"),
        (":stimulator=A,rot2p-0=nan", "finite"),
        (":stimulator=A,rot2p-0=x", "rot2p-0 must be a number"),
        (":stimulator=A,stimulator=B", "each once"),
        (":A", "NAME=VALUE"),
    ],
)
def test_wrong_choices_are_answered(path, choices, message):
    with pytest.raises(InputError, match=message):
        load_coil(f"{path}{choices}")


def test_choices_are_given_once_and_only_to_files_that_have_them(path):
    with pytest.raises(InputError, match="given once"):
        load_coil(f"{path}:stimulator=A", stimulator="B")
    with pytest.raises(InputError, match=r"only \.tcd coils deform"):
        load_coil("magstim-70mm-figure8", settings={"rot2p-0": 1})
    (path.parent / "plain.ccd").write_text("# plain version 1.1\n1\n#\n0 0 -0.005 0 0 1e-4\n")
    with pytest.raises(InputError, match=r"only \.tcd coils deform.*plain\.ccd has none; instead received rot2p-0"):
        load_coil(f"{path.parent / 'plain.ccd'}:rot2p-0=3")
    with pytest.raises(InputError, match="left out for magstim"):
        load_coil("magstim-70mm-figure8", stimulator=1)


def test_stimulators_of_the_same_name_are_chosen_by_number(tmp_path):
    write_tcd(tmp_path / "twins.tcd", two_wings(names=("MagPro", "MagPro")))
    with pytest.raises(InputError, match="must be a number"):
        load_coil(tmp_path / "twins.tcd", stimulator="MagPro")
    assert load_coil(tmp_path / "twins.tcd", stimulator=1).sources[0].points_mm[0, 0] > 0


def test_a_grid_of_several_stimulators_is_chosen_by_number(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 4, 5, 2, 3)).astype(np.float32) * 1e-6
    nibabel.save(nibabel.Nifti1Image(values, np.diag([9.0, 9, 9, 1])), tmp_path / "two.nii.gz")
    coil = load_coil(f"{tmp_path / 'two.nii.gz'}:stimulator=1")
    assert_array_equal(coil.sources[0].a_tm, values[..., 1, :])
    with pytest.raises(InputError, match="from 0 to 1"):
        load_coil(tmp_path / "two.nii.gz")
    with pytest.raises(InputError, match="must be a number from 0"):
        load_coil(tmp_path / "two.nii.gz", stimulator="A")


def test_a_casing_beside_the_file_of_a_coil_is_its_casing(tmp_path):
    corners = [(x, y, z) for x in (-30, 30) for y in (-20, 20) for z in (-15, 0)]
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5)]
    facets = ["facet normal 0 0 0\nouter loop"]
    for face in faces:
        facets += [*("vertex {} {} {}".format(*corners[k]) for k in face), "endloop endfacet facet outer loop"]
    (tmp_path / "box.stl").write_text("\n".join(["solid box", *facets, "endsolid"]))
    (tmp_path / "box.ccd").write_text("# box version 1.1\n1\n#\n0 0 -0.005 0 0 1e-4\n")
    coil = load_coil(tmp_path / "box.ccd")
    assert coil.shape_from == "casing"
    assert len(coil.casing) == 4
    assert coil.assumptions == ("casing read from box.stl, beside the coil's file",)
    (tmp_path / "box.stl").rename(tmp_path / "other.stl")
    assert load_coil(tmp_path / "box.ccd").shape_from == "sources"


@pytest.mark.parametrize(("scale", "good"), [(1.0, True), (0.1, False), (0.01, False)])
def test_wires_that_are_too_small_are_asked_back(tmp_path, scale, good):
    angle = np.arange(0, 360, 10)
    ring = 40 * np.column_stack([np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0 * angle - 0.2]) * scale
    np.savetxt(tmp_path / "ring.csv", np.vstack([ring, ring[:1]]), delimiter=",")
    write_tcd(tmp_path / "ring.tcd", Coil.from_segments(ring, np.roll(ring, -1, axis=0)))
    for name in ("ring.csv", "ring.tcd"):
        if good:
            assert load_coil(tmp_path / name).counts == {"Segments": 36}
            continue
        with pytest.raises(InputError, match="mm"):
            load_coil(tmp_path / name)
