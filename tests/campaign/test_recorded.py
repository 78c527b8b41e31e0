"""A study of recorded poses at their recorded intensities."""

import numpy as np
import pyarrow.parquet
import pytest
import xarray

from efield.campaign.plan import read_study
from efield.campaign.problems import StudyError
from efield.campaign.run import run
from efield.campaign.store import reading
from efield.delivered.pulses import pulses
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head
from efield.io.coils.ccd import read_ccd
from efield.io.poses.pose_table import PoseTable
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand

STUDY = """
[heads]
a = "{files}/sphere.msh"
[coils]
two = "{files}/two.ccd"
[targets]
hand = {{ name = "m1-hand-left", radius_mm = 20 }}
[grid]
poses = "session.json"
[drive]
{drive}
[output]
folder = "out"
chunk = 2
measures = ["mean_magnitude", "along"]
"""


@pytest.fixture
def session(tmp_path, files):
    """Three pulses, a target that is none, and a study of them."""
    head = sphere_head(edge_mm=20.0)
    poses = [place_coil(head, m1_hand(head), angle, 5.0) for angle in (0, 0, 30, 60)]
    known = {"didt": [np.nan, 40e6, 50e6, 60e6], "mep_uv": [np.nan, 100.0, 300.0, 50.0]}
    PoseTable(poses, ["M1", "p1", "p2", "p3"], known).write(tmp_path / "session.json")

    def write(drive):
        (tmp_path / "study.toml").write_text(STUDY.format(files=files, drive=drive))
        return tmp_path / "study.toml"

    return write


def test_each_pulse_has_its_own_drive_name_and_response(session, tmp_path, files):
    study = read_study(session('recorded = [1, 2]\ncurrent = "reverse"'))
    assert study.count == 3
    run(study)
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "table.parquet").to_pydict()
    assert rows["pose_name"] == ["p1", "p2", "p3"] * 2
    assert rows["recorded"] == [1.0] * 3 + [2.0] * 3
    assert rows["didt"] == pytest.approx([-40e6, -50e6, -60e6, -80e6, -100e6, -120e6])
    assert rows["mep_uv"][:3] == [100.0, 300.0, 50.0]
    with xarray.open_zarr(reading(tmp_path / "out").zarr, chunks=None) as data:
        stored = data["along"].isel(head_name=0, target=0, coil=0).values
    np.testing.assert_array_equal(stored.ravel(), rows["along"])
    # What `pulses` says of them, by another way to the same numbers.
    sim, coil = Simulator(study.heads[0].load(study.base)), read_ccd(files / "two.ccd")
    target = study.targets[0].on(sim.head, study.base)
    done = pulses(sim, coil, tmp_path / "session.json", target, current="reverse", allow_collision=True)
    for name in ("mean_magnitude", "along"):
        np.testing.assert_allclose(rows[name][:3], done.table[name], rtol=1e-4)
        np.testing.assert_allclose(rows[name][3:], 2 * done.table[name], rtol=1e-4)


@pytest.mark.parametrize(
    ("drive", "words"),
    [
        ("recorded = true\ndidt = 1e6", "must not be given together"),
        ('recorded = true\nstimulator = "magstim-rapid2"', "intensity of each pulse must be known"),
        ('recorded = "yes"', "must be a number"),
    ],
)
def test_what_was_not_recorded_is_told_before_any_work(session, drive, words):
    with pytest.raises(StudyError) as found:
        read_study(session(drive))
    assert words in " ".join(str(problem) for problem in found.value.problems)


def test_other_intensities_are_another_study(session, tmp_path):
    run(read_study(session("recorded = true")))
    table = PoseTable([place_coil(sphere_head(edge_mm=20.0), "C3")], columns={"didt": [1e6]})
    table.write(tmp_path / "session.json")
    with pytest.raises(InputError, match=r"drive\.recorded was"):
        run(read_study(session("recorded = true")))
