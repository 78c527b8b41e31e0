"""Caps of subject folders: every kind of row, and what is no cap."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from efield.ground.errors import EfieldError, FileFormatError, InputError
from efield.head.landmarks import Fiducials
from efield.io.eeg_positions import read_eeg_positions, write_eeg_positions

CAP = """Type,x,y,z,name
Electrode,-46.5, 2.25 ,93,C3
ReferenceElectrode,0,-10,101.5,Cz
Electrode,1,2,90,0,1,0,C1
Fiducial,0.5,99,-20,Nz
Generic,10,20,30
CoilPos,0,0,90,0,0,-1,0,1,0,4,M1

"""


def test_every_kind_of_row_is_read(tmp_path):
    (tmp_path / "cap.csv").write_bytes(b"\xef\xbb\xbf" + CAP.replace("\n", "\r\n").encode())
    found = read_eeg_positions(tmp_path / "cap.csv")
    assert list(found) == ["C3", "Cz", "C1", "Nz", "row 6"]
    assert_allclose(found["C3"], (-46.5, 2.25, 93))
    assert_allclose(found["C1"], (1, 2, 90))
    assert_allclose(found["row 6"], (10, 20, 30))
    assert not found["C3"].flags.writeable


def test_a_place_listed_twice_is_one(tmp_path):
    # Caps of subject folders have the inion as an electrode and as a fiducial.
    (tmp_path / "cap.csv").write_text(
        "Electrode,0.0,-116.2,-30.5,Iz\nElectrode,1,2,90,C3\nFiducial,0,-116.20,-30.5,Iz\n"
    )
    found = read_eeg_positions(tmp_path / "cap.csv")
    assert list(found) == ["Iz", "C3"]
    assert_allclose(found["Iz"], (0, -116.2, -30.5))


def test_a_cap_as_subject_folders_hold_it_is_read(foreign):
    found = read_eeg_positions(foreign("EEG10-10_UI_Jurak_2007.csv"))
    assert_allclose(found["Iz"], (0, -116.2, -30.5))
    assert {"C3", "Cz", "Nz", "LPA", "RPA"} <= set(found)


def test_the_fiducials_of_a_cap_measure_a_head(tmp_path):
    corners = {"Nz": (0, 90.0, -20), "Iz": (0, -100.0, -20), "LPA": (-75.0, 0, -30), "RPA": (75.0, 0, -30)}
    write_eeg_positions(tmp_path / "cap.csv", {name: np.array(point) for name, point in corners.items()})
    text = (tmp_path / "cap.csv").read_text()
    assert text.count("Fiducial,") == 4
    found = read_eeg_positions(tmp_path / "cap.csv")
    assert_allclose(Fiducials(found["Nz"], found["Iz"], found["LPA"], found["RPA"]).left_mm, (-75, 0, -30))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Electrode,1,2,C3\n", "x, y, z in mm"),
        ("Electrode,1,nan,3,C3\n", "x, y, z in mm"),
        ("Electrode,1,2,99999,C3\n", "x, y, z in mm"),
        ("Electrode\n", "x, y, z in mm"),
        ("Electrode,0.04,0.05,0.09,C3\n", "meters"),
        ("Electrode,1,2,90,C3\nElectrode,1,3,90,C3\n", "'C3' has another in line 2"),
        ("Sensor,1,2,3,C3\n", "must start with one of Electrode"),
        ("Type,x,y,z,name\n", "there are none"),
        ('Electrode,1,2,3,"C3\n', "comma-separated text"),
        ("", "empty"),
    ],
)
def test_what_is_no_cap_is_refused(tmp_path, text, words):
    (tmp_path / "cap.csv").write_text(text)
    with pytest.raises(FileFormatError, match=words):
        read_eeg_positions(tmp_path / "cap.csv")


def test_binary_and_huge_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(FileFormatError, match="comma-separated text"):
        read_eeg_positions(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"Electrode,1,2,3,a\n" * 300_000)
    with pytest.raises(FileFormatError, match="is it a cap"):
        read_eeg_positions(tmp_path / "b.csv")


def test_nothing_and_nan_are_not_written(tmp_path):
    with pytest.raises(InputError, match="at least one point"):
        write_eeg_positions(tmp_path / "cap.csv", {})
    with pytest.raises(InputError, match="finite"):
        write_eeg_positions(tmp_path / "cap.csv", {"C3": np.array([np.nan, 0, 1])})
    assert not list(tmp_path.iterdir())


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=("C", "Z")), min_size=1)
POINTS = st.tuples(*[st.floats(-200, 200).map(lambda x: round(x, 4))] * 2, st.floats(2, 200).map(lambda x: round(x, 4)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES.filter(lambda name: not name.replace(".", "").isdigit()), POINTS, min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path, points):
    write_eeg_positions(tmp_path / "cap.csv", points)
    found = read_eeg_positions(tmp_path / "cap.csv")
    assert list(found) == list(points)
    assert_allclose(list(found.values()), list(points.values()), atol=1e-6)


def test_a_damaged_cap_gives_points_or_an_error(tmp_path, damaged):
    for data in damaged(CAP.encode(), 100):
        (tmp_path / "cap.csv").write_bytes(data)
        try:
            found = read_eeg_positions(tmp_path / "cap.csv")
        except EfieldError:
            continue
        assert all(np.isfinite(point).all() for point in found.values())
