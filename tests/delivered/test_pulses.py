"""What was done: each pulse as a full solve says it, drift as on paper, and maps that are sums of the pulses."""

from dataclasses import replace

import numpy as np
import pytest

from efield.delivered.pulses import DRIFT, pulses
from efield.ground.errors import CollisionError, InputError
from efield.ground.pose import Pose, apart
from efield.head.tissue import GRAY_MATTER
from efield.io.meshes import vtu
from efield.io.poses.pose_table import PoseTable
from efield.targeting.measures import names_at
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.viz.recording import recording_figure

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def done(sim, coil, recording, target):
    return pulses(sim, coil, recording, target)


@pytest.fixture(scope="module")
def solved(sim, coil, recording):
    rates = recording.columns["didt"]
    return [sim.solve(coil, pose, rate) for pose, rate in zip(recording, rates, strict=True)]


def test_measures_of_each_pulse_are_those_of_its_full_solve(done, solved, target):
    assert done.table.attrs["solves"] == len(solved)
    for number, field in enumerate(solved):
        summary = field.summary(target)
        for name in names_at(target):
            # Fields are kept in single precision.
            assert float(done.table[name][number]) == pytest.approx(summary[name], rel=2e-5, abs=1e-5), name


def test_second_order_says_what_its_summary_says(head, coil, recording, target):
    sim, first = Simulator(head, order=2, tol=1e-7), recording[[0]]
    done, summary = pulses(sim, coil, first, target), sim.solve(coil, first[0], 40e6).summary(target)
    for name in names_at(target):
        assert float(done.table[name][0]) == pytest.approx(summary[name], rel=2e-5, abs=1e-5), name


def test_maps_are_the_mean_and_the_sum_of_the_magnitudes_of_all_pulses(done, solved):
    sizes = [np.linalg.norm(field.recovered.at_nodes(GRAY_MATTER)[done.nodes], axis=1) for field in solved]
    np.testing.assert_allclose(done.maps["cumulative"], np.sum(sizes, axis=0), rtol=1e-5)
    np.testing.assert_allclose(done.maps["mean"], np.mean(sizes, axis=0), rtol=1e-5)


def test_pulses_that_are_not_solved_are_sums_of_those_that_are(sim, coil, wandering, target):
    poses = wandering(120, 4.0, 8.0)
    table = PoseTable(poses, columns={"didt": np.full(120, 50e6)})
    found = pulses(sim, coil, table, target, tol=2e-3)
    assert found.table.attrs["solves"] < 80
    assert 0 < found.table.attrs["largest_error"] < 2e-3
    for number in (7, 61, 119):
        summary = sim.solve(coil, poses[number], 50e6).summary(target)
        assert float(found.table["mean_magnitude"][number]) == pytest.approx(summary["mean_magnitude"], rel=2e-3)


def test_the_same_pose_is_solved_once(sim, coil, wandering, target):
    poses = wandering(2) * 20
    found = pulses(sim, coil, PoseTable(poses, columns={"didt": np.linspace(20e6, 97e6, 40)}), target)
    assert found.table.attrs["solves"] == 2
    size = found.table["mean_magnitude"].values / found.table["didt"].values
    np.testing.assert_allclose(size[::2], size[0], rtol=1e-6)


def test_drift_worked_out_by_hand():
    # Shifted by 3 mm along x and 4 along z: 5 mm. Turned by 30 degrees about z, cos 0.866 and sin 0.5.
    matrix = np.array([[0.8660254, -0.5, 0, 3], [0.5, 0.8660254, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]])
    half = np.diag([-1.0, -1.0, 1.0, 1.0])
    shift, turn = apart(np.stack([np.eye(4), matrix, half]), Pose(np.eye(4)))
    np.testing.assert_allclose(shift, [0, 5, 0])
    np.testing.assert_allclose(turn, [0, 30, 180], atol=1e-6)


def test_drift_is_from_the_first_pulse_or_the_plan_and_the_field_at_the_same_drive(sim, coil, target, head):
    plan = place_coil(head, target, 45.0, 5.0, coil=coil)
    away = plan.moved((0.0, 0.0, -3.0))  # three millimeters off the head
    table = PoseTable([plan, away], columns={"didt": [50e6, 100e6]})
    found = pulses(sim, coil, table, target)
    np.testing.assert_allclose(found.table["off_mm"], [0.0, 3.0], atol=1e-9)
    loss = (
        sim.solve(coil, away).summary(target)["mean_magnitude"]
        / sim.solve(coil, plan).summary(target)["mean_magnitude"]
    )
    np.testing.assert_allclose(found.table["off_percent"], [0.0, 100 * (loss - 1)], atol=1e-2)
    other = pulses(sim, coil, table, target, plan=away)
    np.testing.assert_allclose(other.table["off_mm"], [3.0, 0.0], atol=1e-9)
    assert set(DRIFT) <= set(found.to_dataframe().columns)


def test_intensities_are_taken_where_they_are_and_missed_where_not(sim, coil, target, wandering):
    poses = wandering(2)
    percent = PoseTable(poses, columns={"intensity_percent": [50.0, 60.0]})
    known = pulses(sim, coil, percent, target).table["didt"].values
    np.testing.assert_allclose(known, coil.max_didt * np.array([0.5, 0.6]))
    # 114.73 A/us at 100 %, Drakaki 2022.
    rapid = pulses(sim, coil, percent, target, stimulator="magstim-rapid2")
    np.testing.assert_allclose(rapid.table["didt"], [57.365e6, 68.838e6])
    with pytest.raises(InputError, match=r"largest dI/dt of .* is not known"):
        pulses(sim, replace(coil, max_didt=None), percent, target)
    with pytest.raises(InputError, match=r"of 1 of 2 is not \(pose 2\)"):
        pulses(sim, coil, PoseTable(poses, columns={"didt": [50e6, np.nan], "time_s": [0, 1]}), target)
    with pytest.raises(InputError, match="0 to 100"):
        pulses(sim, coil, PoseTable(poses, columns={"intensity_percent": [50.0, 160.0]}), target)
    with pytest.raises(InputError, match="looks like A/us"):
        pulses(sim, coil, PoseTable(poses, columns={"didt": [50.0, 60.0]}), target)
    both = PoseTable([*poses, poses[0]], columns={"didt": [50e6, 70e6, np.nan]})  # the third is no pulse
    assert pulses(sim, coil, both, target).table["didt"].values.tolist() == [50e6, 70e6]
    assert pulses(sim, coil, PoseTable(poses), target, didt=2e6).table["didt"].values.tolist() == [2e6, 2e6]


def test_a_recording_with_a_coil_in_the_head_says_which_pulses(sim, coil, target, wandering):
    good = wandering(1)[0]
    table = PoseTable([good, good.moved((0, 0, 40.0))], ["good", "bad"], {"didt": [50e6, 50e6]})
    with pytest.raises(CollisionError, match=r"1 pulse of 2 \(bad\), the first: the coil must stay outside"):
        pulses(sim, coil, table, target)
    assert len(pulses(sim, coil, table, target, allow_collision=True)) == 2


def test_no_pulse_is_cut_off_at_the_edge_of_its_panel(done):
    panels = recording_figure(done).axes
    points = [line for one in panels for line in one.lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in points] == [len(done)] * 3
    assert not any(line.get_clip_on() for line in points)


def test_maps_are_written_for_other_programs(done, tmp_path):
    import nibabel

    done.save(tmp_path / "maps.vtu")
    mesh = vtu.read_mesh(tmp_path / "maps.vtu")
    np.testing.assert_allclose(mesh.node_data["mean"], done.maps["mean"], rtol=1e-6)
    done.to_nifti(tmp_path / "mean.nii.gz")
    image = nibabel.load(tmp_path / "mean.nii.gz")
    volume = np.asarray(image.dataobj)
    node = done.nodes[np.argmax(done.maps["mean"])]
    voxel = np.round(np.linalg.inv(image.affine) @ [*done.head.points[node] * 0.97, 1]).astype(int)[:3]
    assert np.nanmax(volume) <= done.maps["mean"].max() * 1.0001
    assert volume[tuple(voxel)] > 0.7 * done.maps["mean"].max()
    assert np.isnan(volume[0, 0, 0])


def test_a_list_of_poses_is_driven_as_it_is_told(sim, coil, recording, target):
    found = pulses(sim, coil, [recording[0]], target, didt=40e6)
    assert float(found.table["along"][0]) == pytest.approx(sim.solve(coil, recording[0], 40e6).summary(target)["along"])
    with pytest.raises(InputError, match="must be a list of Pose"):
        pulses(sim, coil, recording[0], target, didt=40e6)
