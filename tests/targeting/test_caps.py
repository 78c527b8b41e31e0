"""An electrode by name is the head's own position where it has one, and the note says so."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.head.landmarks import Fiducials, electrode, fiducials_of, find_electrode, ten_ten
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.io.eeg_positions import write_eeg_positions
from efield.io.load import load_head
from efield.io.meshes.gmsh import write_head
from efield.targeting.electrodes import electrode_place
from efield.targeting.placement import place_coil
from efield.targeting.targets import named_target, parse_target

#: Heads here are balls of one or two tissues.
pytestmark = pytest.mark.filterwarnings("ignore:the head has no", "ignore:the mesh is only")

RADIUS = 90.0


def on_scalp(*direction):
    return np.round(RADIUS * np.array(direction) / np.linalg.norm(direction), 6)  # what the file holds


OWN_C3 = on_scalp(-0.75, 0.05, 0.65)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("subjects") / "m2m_made"
    (place / "eeg_positions").mkdir(parents=True)
    write_head(place / "made.msh", sphere_head((70.0, 76.0, RADIUS), (2, 3, 5), edge_mm=12.0))
    caps = {
        "A_first_by_name.csv": {"C3": on_scalp(-0.5, 0.3, 0.8), "AFF1h": on_scalp(-0.1, 0.7, 0.7)},
        "EEG10-10_UI_Jurak_2007.csv": {"C3": OWN_C3, "Far1": (0.0, 0.0, 150.0)},
    }
    for name, positions in caps.items():
        write_eeg_positions(place / "eeg_positions" / name, positions)
    return place


@pytest.fixture(scope="module")
def head(folder):
    return load_head(folder)


def test_the_folders_own_position_is_preferred_and_the_note_says_so(head):
    target = named_target(head, "c3")
    gray = head.barycenters[head.tissue == 2]
    assert_array_equal(target.center_mm, gray[np.argmin(np.linalg.norm(gray - OWN_C3, axis=1))])
    assert "C3 (cap EEG10-10_UI_Jurak_2007.csv of m2m_made)" in target.note
    assert_array_equal(electrode(head, "C3"), OWN_C3)


def test_a_coil_is_held_over_the_folders_own_position(head):
    by_name, by_point = place_coil(head, "C3"), place_coil(head, OWN_C3)
    assert_array_equal(by_name.matrix, by_point.matrix)
    computed = place_coil(head, ten_ten(head)["C3"])
    assert np.linalg.norm(by_name.center_mm - computed.center_mm) > 3


def test_a_name_of_no_cap_is_measured_on_the_scalp_and_the_note_says_so(head):
    place, origin = find_electrode(head, "Cz")
    assert_array_equal(place, ten_ten(head)["Cz"])
    assert "10-10 arcs" in origin
    assert "10-10 arcs" in named_target(head, "Cz").note


def test_a_name_that_only_a_cap_knows_can_be_a_target(head):
    assert parse_target("AFF1h") == "AFF1h"
    assert "A_first_by_name.csv" in named_target(head, "aff1H").note
    with pytest.raises(InputError, match="electrode must be one of"):
        named_target(head, "AFF9h")


def test_a_position_far_from_the_scalp_is_refused_with_its_file(head):
    with pytest.raises(InputError, match=r"Far1 of cap .*Jurak.* within 15 mm of the scalp; instead it is 60 mm"):
        place_coil(head, "Far1")


def test_a_cap_file_given_by_hand_is_used_and_checked_before_the_head_is_loaded(head, tmp_path):
    path = tmp_path / "mine.csv"
    own = on_scalp(-0.6, -0.1, 0.8)
    write_eeg_positions(path, {"C3": own, "In": own / 2})
    target = named_target(head, parse_target(f"{path}:c3"))
    assert "cap mine.csv" in target.note
    assert_allclose(target.center_mm / np.linalg.norm(target.center_mm), own / RADIUS, atol=0.12)  # edges of 12 mm
    assert_array_equal(place_coil(head, f"{path}:C3").matrix, place_coil(head, own).matrix)
    with pytest.raises(InputError, match=r"electrode of .*mine\.csv must be one of C3, In"):
        parse_target(f"{path}:C4")
    with pytest.raises(FileFormatError, match="does not exist"):
        parse_target("none.csv:C3")
    with pytest.raises(InputError, match="within 15 mm"):
        named_target(head, f"{path}:In")


def test_a_damaged_cap_is_refused_when_it_is_asked_and_not_before(folder, tmp_path):
    from shutil import copytree

    copy = tmp_path / "m2m_made"
    copytree(folder, copy)
    (copy / "eeg_positions" / "EEG10-10_UI_Jurak_2007.csv").write_text("Electrode,1,2\n")
    head = load_head(copy)
    with pytest.raises(FileFormatError, match=r"Jurak_2007\.csv.*x, y, z"):
        place_coil(head, "C3")


def test_fiducials_of_a_cap_come_before_those_of_the_map(tmp_path, folder):
    from shutil import copytree

    copy = tmp_path / "m2m_made"
    copytree(folder, copy)
    turned = {"Nz": (-1, 9, 0), "Iz": (1, -9, 0), "LPA": (-9, -1, 0), "RPA": (9, 1, 0)}
    write_eeg_positions(copy / "eeg_positions" / "Own.csv", {n: on_scalp(*p) for n, p in turned.items()})
    found = fiducials_of(load_head(copy))
    assert_allclose(found.nasion_mm, on_scalp(-1, 9, 0), atol=0.5)  # moved onto flat triangles of 12 mm
    assert abs(fiducials_of(load_head(folder)).nasion_mm[0]) < 0.5


def test_a_file_of_fiducials_alone_gives_every_10_10_position(head, tmp_path):
    cap = tmp_path / "fiducials.csv"
    marks = {"Nz": (0.2, 1, -0.1), "Iz": (0.1, -1, -0.2), "LPA": (-1, 0.1, -0.1), "RPA": (1, 0.0, -0.2)}
    write_eeg_positions(cap, {name: on_scalp(*direction) for name, direction in marks.items()})
    measured = ten_ten(head, Fiducials(*(on_scalp(*direction) for direction in marks.values())))
    place, origin = electrode_place(head, f"{cap}:fcz")
    assert_array_equal(place, measured["FCz"])
    assert "from the fiducials of cap fiducials.csv" in origin
    assert_array_equal(electrode_place(head, f"{cap}:Nz")[0], on_scalp(*marks["Nz"]))  # its own rows come first
    assert_array_equal(place_coil(head, f"{cap}:C3").matrix, place_coil(head, measured["C3"]).matrix)
    with pytest.raises(InputError, match="did you mean 'C3'"):
        electrode_place(head, f"{cap}:C33")


def test_a_file_without_all_fiducials_knows_its_own_names_only(head, tmp_path):
    write_eeg_positions(tmp_path / "part.csv", {"Nz": on_scalp(0, 1, 0), "Cz": on_scalp(0, 0, 1)})
    with pytest.raises(InputError, match="must be one of Nz, Cz"):
        electrode_place(head, f"{tmp_path / 'part.csv'}:C3")


def test_a_mistyped_electrode_is_named_before_missing_fiducials():
    bare = sphere_head((70.0, 76.0, 90.0), (2, 3, 5), edge_mm=14.0)
    moved = HeadMesh(points=bare.points + np.array([0, 0, 30.0]), tets=bare.tets, tissue=bare.tissue)
    with pytest.raises(InputError, match="did you mean 'C3'"):
        place_coil(moved, "C33")
    with pytest.raises(
        InputError, match=r"to `efield simulate` --fiducials FILE\.csv .*FILE\.csv:C3 is a target everywhere"
    ):
        place_coil(moved, "C3")
