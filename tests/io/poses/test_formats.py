"""What is written is read again, what files know is kept, and what cannot be used is dropped with its reason."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from efield.ground.errors import FileFormatError, InputError
from efield.ground.pose import Pose, given_poses
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.raw import Dropped
from efield.io.poses.reading import load_pose, opened, opened_one, read_poses

#: Brainsight's files are written with six decimals; all others with the digits of a double.
DECIMALS = {"brainsight": 2e-6}
DIGITS = 1e-12


@pytest.fixture(scope="module")
def table():
    matrices = np.tile(np.eye(4), (5, 1, 1))
    matrices[:, :3, :3] = Rotation.random(5, random_state=3).as_matrix()
    matrices[:, :3, 3] = np.random.default_rng(3).uniform(-90, 90, (5, 3))
    columns = {
        "time_s": [np.nan, np.nan, 0.0, 4.5, 9.125],
        "intensity_percent": [np.nan, np.nan, 55, 56, np.nan],
        "didt": [np.nan, np.nan, 80e6, 81e6, np.nan],
        "mep_uv": [np.nan, np.nan, 900.5, np.nan, 1200],
    }
    names = ['hot <&> "spot"', "M1", "pulse", "pulse", "late"]
    return PoseTable(matrices, names, columns, began="2024-02-29T23:59:58.500")


def suffix(name):
    return (FORMATS[name].suffixes or (".txt",))[0]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_read_again(tmp_path, table, name):
    path = tmp_path / f"a{suffix(name)}"
    lost = table.write(path, name)
    again = read_poses(path, format="invesalius" if name == "invesalius" else None)
    assert_allclose(again.matrices, table.matrices, atol=DECIMALS.get(name, DIGITS))
    assert lost == [
        *([] if FORMATS[name].names else ["names"]),
        *(k for k in table.columns if k not in FORMATS[name].keeps),
        *(["intensity_percent"] if name == "nibs-bids" else []),  # pulses have a rate as well, and one of both is held
    ]
    if FORMATS[name].names:
        expected = list(table.names)
        if name == "nibs-bids":
            expected[3] = "pulse (4)"
        assert list(again.names) == expected
    for key in FORMATS[name].keeps:
        values = table.columns[key].copy()
        if name == "nibs-bids" and key == "intensity_percent":
            values[2:4] = np.nan  # it has one intensity for each event: A/us here
        if not np.isnan(values).all():
            assert_allclose(again.columns[key], values, rtol=1e-12)
    assert again.began == (table.began if name in ("brainsight", "json") else "")


def test_one_intensity_for_each_pulse_is_no_loss(tmp_path):
    columns = {"intensity_percent": [50.0, np.nan], "didt": [np.nan, 8e7]}
    assert PoseTable(np.tile(np.eye(4), (2, 1, 1)), columns=columns).write(tmp_path / "a_markers.tsv") == []


@pytest.mark.parametrize("name", [n for n in WRITTEN if FORMATS[n].names])
def test_names_of_any_kind_lose_no_pose(tmp_path, name):
    names = ["#1", "n/a", "(null)", "[/]", "a\x01b\tc", "-->", "a", "a", "a (8)", "pose: 1", "% b", "Sample Name"]
    matrices = np.tile(np.eye(4), (len(names), 1, 1))
    matrices[:, 0, 3] = np.arange(len(names))
    path = tmp_path / f"a{suffix(name)}"
    PoseTable(matrices, names).write(path, name)
    again = read_poses(path)
    assert_array_equal(again.matrices[:, 0, 3], matrices[:, 0, 3])
    kept = {"nibs-bids": {1: "n/a (2)", 7: "a (8)", 8: "a (8) (9)"}}.get(name, {})
    kept |= {} if name in ("json", "visor2") else {4: "a b c"}
    assert list(again.names) == [kept.get(k, name) for k, name in enumerate(names)]


def test_of_a_known_coil_files_say_its_current(tmp_path):
    table = PoseTable([Pose.from_axes((0, 0, 90), (0, 1, 0), (0, 0, -1)).matrix], induced=(0, -2, 0))
    assert_array_equal(table.handles, [[0, -1, 0]])
    assert_array_equal(table.currents(), [[0, -1, 0]])
    table.write(tmp_path / "a.txt")
    assert (
        "# handle toward posterior; current induced toward posterior by dI/dt > 0\n" in (tmp_path / "a.txt").read_text()
    )
    round_one = replace(table, induced=None)
    assert round_one.says == ["handle toward posterior; the coil induces current in no one direction"]
    round_one.write(tmp_path / "a.json")
    assert "induced_current" not in (tmp_path / "a.json").read_text()


@pytest.mark.parametrize("name", [n for n in WRITTEN if n not in ("numpy", "matlab", "simnibs", "invesalius")])
def test_what_is_written_says_where_handle_and_current_point(tmp_path, name):
    table = PoseTable([Pose.from_axes((0, 0, 90), (0, 1, 0), (0, 0, -1)).matrix], columns={"time_s": [0.0]})
    path = tmp_path / f"a{suffix(name)}"
    table.write(path, name)
    said = "".join(file.read_text() for file in sorted(tmp_path.iterdir()))
    if name == "nibs-bids":
        assert "y away from the handle" in said
    else:
        assert "handle toward posterior" in said
        assert "current induced toward anterior" in said


def test_writing_says_what_cannot_be(tmp_path, table):
    for path, name, match in [
        ("a.stmpx", None, "must be written to a file"),
        ("a.stmpx", "softaxic", "that can be written"),
        ("a.tsv", "nibs-bids", "_markers.tsv"),
        ("a.txt", "brainsite", "did you mean 'brainsight'"),
        ("no/such/a.txt", None, "folder"),
    ]:
        with pytest.raises(InputError, match=match):
            table.write(tmp_path / path, name)
    with pytest.raises(InputError, match="empty"):
        table[[]].write(tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


SAMPLES = (
    "# Version: 13\n# Coordinate system: NIfTI:Scanner\n"
    "# Target Name\tLoc. X\tLoc. Y\tLoc. Z\tm0n0\tm0n1\tm0n2\tm1n0\tm1n1\tm1n2\tm2n0\tm2n1\tm2n2\n"
    "aim\t0\t0\t90\t1\t0\t0\t0\t1\t0\t0\t0\t1\n"
    "# Sample Name\tSession Name\tIndex\tLoc. X\tLoc. Y\tLoc. Z\tm0n0\tm0n1\tm0n2\tm1n0\tm1n1\tm1n2\tm2n0\tm2n1\tm2n2"
    "\tStim. Power A\tDate\tTime\tEMG Peak-to-peak 1\tEMG Data 1\n"
    "aim\tS\t1\t0\t0\t91\t1\t0\t0\t0\t1\t0\t0\t0\t1\t61\t2024-01-31\t23:59:59.500\t812.5\t1;2;3\n"
    "gone\tS\t2\t(null)\t(null)\t(null)\t1\t0\t0\t0\t1\t0\t0\t0\t1\t61\t2024-02-01\t00:00:01.000\t5\t1\n"
    "last\tS\t3\t0\t0\t92\t1\t0\t0\t0\t1\t0\t0\t0\t1\t(null)\t2024-02-01\t00:00:02.000\t(null)\t(null)\n"
    "# Session Landmark Name\tSession Name\tLoc. X\tLoc. Y\tLoc. Z\nNasion\tS\t1\t2\t3\n"
)


def test_brainsight_samples_have_times_power_and_potentials(tmp_path):
    (tmp_path / "a.txt").write_text(SAMPLES, encoding="utf-8")
    found = read_poses(tmp_path / "a.txt")
    assert found.names == ("aim", "aim", "last")
    assert found.groups == ("target", "sample", "sample")
    assert_array_equal(found.columns["time_s"], [np.nan, 0.0, 2.5])
    assert found.began == "2024-01-31T23:59:59.500"
    assert_array_equal(found.columns["intensity_percent"], [np.nan, 61, np.nan])
    assert_array_equal(found.columns["mep_uv"], [np.nan, 812.5, np.nan])
    assert found.dropped == (Dropped("gone", "it has no position or no orientation (not tracked)"),)
    assert found.is_pulse.tolist() == [False, True, True]


def test_localite_triggers_and_a_coil_that_was_not_tracked(tmp_path):
    good = 'data00="0" data01="0" data02="1" data03="1" data10="0" data11="1" data12="0" data13="2"'
    good += ' data20="-1" data21="0" data22="0" data23="3"'
    zero = " ".join(f'data{i}{j}="{float(i == j)}"' for i in range(4) for j in range(4))
    (tmp_path / "a.xml").write_text(
        '<TriggerMarkerList coordinateSpace="RAS">'
        f'<TriggerMarker description="t1" recordingTime="1500"><Matrix4D {good}/><ResponseValues>'
        '<Value key="valueA" response="96.5"/><Value key="amplitudeA" response="47"/></ResponseValues></TriggerMarker>'
        f'<TriggerMarker description="t2" recordingTime="2500"><Matrix4D {zero}/></TriggerMarker></TriggerMarkerList>'
    )
    found = read_poses(tmp_path / "a.xml")
    assert found.names == ("t1",)
    assert {key: values[0] for key, values in found.columns.items()} == {
        "time_s": 1.5,
        "didt": 96.5e6,
        "intensity_percent": 47.0,
    }
    assert found.dropped[0].name == "t2"
    with pytest.raises(InputError, match="none that can be used: the coil was not tracked"):
        found[[]].only()
    assert "not tracked" in found.dropped[0].reason


def test_nibs_bids_events_are_poses_with_their_intensity(tmp_path, table):
    table.write(tmp_path / "sub-1_markers.tsv")
    events = tmp_path / "sub-1_events.tsv"
    events.write_text(events.read_text() + "20.5\t0\tpulse-3\tM1\n")
    found = read_poses(tmp_path / "sub-1_markers.tsv")
    assert found.names == ('hot <&> "spot"', "pulse", "pulse (4)", "late", "M1")
    assert found.columns["time_s"][-1] == 20.5
    assert found.columns["didt"][-1] == 80e6
    events.write_text(events.read_text() + "21\t0\tpulse-3\tnowhere\n")
    with pytest.raises(FileFormatError, match="nowhere"):
        read_poses(tmp_path / "sub-1_markers.tsv")
    markers = tmp_path / "sub-1_markers.tsv"
    markers.write_text(markers.read_text() + markers.read_text().splitlines()[-1] + "\n")
    with pytest.raises(FileFormatError, match="'late' is there again"):
        read_poses(markers)


def test_a_summary_of_a_simulation_is_a_pose(tmp_path, table):
    matrix, other = table.matrices[0].tolist(), table.matrices[1].tolist()
    summary = {"efield": "1", "coil": "d70", "pose": matrix, "didt": 5e7, "also": []}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    found = read_poses(tmp_path / "summary.json")
    assert found.names == ("d70",)
    assert found.columns["didt"].tolist() == [5e7]
    summary["also"] = [{"coil": "d50", "pose": other, "didt": -1e6}]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert_allclose(load_pose(f"{tmp_path / 'summary.json'}:d70").matrix, matrix)
    assert_allclose(load_pose(f"{tmp_path / 'summary.json'}:2").matrix, other)


def test_one_of_several_is_chosen_behind_the_file(tmp_path):
    (tmp_path / "a.txt").write_text(SAMPLES)
    file = str(tmp_path / "a.txt")
    assert load_pose(f"{file}:LAST").center_mm.tolist() == [0, 0, 92]
    assert load_pose(f"{file}:2").center_mm.tolist() == [0, 0, 91]
    assert len(read_poses(f"{file}:samples")) == 2
    assert len(read_poses(f"{file}:aim")) == 2
    assert load_pose(f"{file}:target").center_mm.tolist() == [0, 0, 90]
    for choice, match in (
        (":aim", "one pose is needed.*1: aim, 2: aim"),
        (":4", "from 1 to 3"),
        (":gone", "'gone' of the file cannot be used: it has no position"),
        ("", "one pose is needed"),
    ):
        with pytest.raises(FileFormatError, match=match):
            load_pose(file + choice)


def test_a_table_is_a_list_of_poses_and_a_data_frame(table):
    assert [pose.matrix.tobytes() for pose in given_poses(table)] == [m.tobytes() for m in table.matrices]
    assert table["late"].matrix.tobytes() == table[4].matrix.tobytes() == table[-1].matrix.tobytes()
    assert table[1:3].names == ("M1", "pulse")
    assert table[table.is_pulse].names == ("pulse", "pulse", "late")
    frame = table.to_dataframe()
    assert frame["center_z_mm"].tolist() == table.matrices[:, 2, 3].tolist()
    assert frame["y_x"].tolist() == table.matrices[:, 0, 1].tolist()
    dataset = table.to_dataset()
    assert dataset["didt"].attrs["units"] == "A/s"
    assert_array_equal(dataset["matrix"], table.matrices)
    assert opened(table) is table.matrices
    assert opened_one(table[[1]]).matrix.tobytes() == table[1].matrix.tobytes()
    assert "5 poses" in repr(table)
    with pytest.raises(ValueError, match="read-only"):
        table.matrices[0] = 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ["a"]},
        {"columns": {"time_s": [1.0]}},
        {"columns": {"speed": [1.0] * 5}},
        {"groups": ["a"]},
        {"frame": "LAS"},
        {"axes": "ours"},
        {"turned_deg": [1.0]},
        {"induced": (0, 1)},
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(table, wrong):
    with pytest.raises(InputError, match="must"):
        PoseTable(table.matrices, **wrong)


def test_empty_tables_are_tables():
    assert len(PoseTable(np.zeros((0, 4, 4)))) == 0
    assert list(PoseTable([])) == []


def test_files_of_other_programs(foreign):
    visor = read_poses(foreign("ant_visor2.mrk"))
    assert (len(visor), visor.names[0], visor.names[3]) == (7, "CoilMarker_1", "marker 4")
    assert_allclose(visor.matrices[0, :3, 3], (-70, -10, 60))
    aligned = read_poses(foreign("brainsight_nifti_aligned.txt"))
    assert (len(aligned), aligned.names[0], set(aligned.groups)) == (7, "Sample 2", {"target"})
    assert_allclose(aligned.matrices[0, :3, 3], (15.020, 53.062, 87.219))
    # m2 of the first row is (0.059, -0.044, 0.997), out of the head; rounding turns it by less than 0.05 degrees.
    assert_allclose(aligned.matrices[0, :3, 2], (-0.059, 0.044, -0.997), atol=1e-3)
    assert 0.001 < aligned.turned_deg.max() < 0.05
    world = read_poses(foreign("brainsight_world.txt"), frame="LPS")
    assert (len(world), world.groups.count("sample"), world.began) == (19, 18, "2021-06-25T12:11:36.454")
    assert_allclose(world.columns["time_s"][1:4], (0, 3.066, 5.058))
    localite = read_poses(foreign("localite_instrument_markers.xml"))
    assert (localite.names, localite.frame) == (("hotspot", "PA", "premot", "LM"), "LPS")
    # LPS (36.2, 35.7, 101.9) is left and posterior; z is the matrix' first column with two signs turned. The matrix
    # itself is rigid to 1e-4 only.
    assert_allclose(localite.matrices[0, :3, 3], (-36.237571, -35.691392, 101.916610), atol=1e-6)
    assert_allclose(localite.matrices[0, :3, 2], (0.349056, 0.010511, -0.937077), atol=1e-4)
