"""Sweeps: the numbers of full solves, with units and provenance, whichever engine is used."""

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.coils.polarity import CURRENTS
from efield.ground.errors import EfieldWarning, FileFormatError, InputError
from efield.ground.pose import Pose
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from efield.sweeping.engines import columns, measure
from efield.sweeping.grid import PlacementGrid, Placements
from efield.sweeping.sweep import sweep
from efield.targeting.measures import weighted_percentile
from efield.targeting.placement import place_coil
from efield.targeting.targets import Target


@pytest.fixture(scope="module")
def poses(head, target, coil):
    return [place_coil(head, target, angle, 4, coil=coil) for angle in (0, 40, 80, 120, 160)]


@pytest.fixture(scope="module")
def table(sim, coil, poses, target):
    return sweep(sim, coil, poses, target=target, didt=2e6)


def test_its_values_are_those_of_full_solves(table, sim, head, coil, poses, target):
    tets = target.tets(head)
    volume = head.volumes[tets]
    for k, field in enumerate(sim.solve_many(coil, poses, 2e6)):
        e = field.in_tets(tets)
        size = np.linalg.norm(e, axis=1)
        assert table.mean_magnitude[k] == pytest.approx(np.average(size, weights=volume), rel=1e-12)
        assert table.p99_magnitude[k] == pytest.approx(weighted_percentile(size, volume, 99), rel=1e-12)
        assert table.max_magnitude[k] == pytest.approx(size.max(), rel=1e-12)
        mean = np.average(e, axis=0, weights=volume)
        assert table.along[k] == pytest.approx(mean @ target.direction, rel=1e-9)
        assert np.hypot(table.along[k], table.across[k]) == pytest.approx(np.linalg.norm(mean), rel=1e-9)
        assert np.array_equal(table.pose[k], poses[k].matrix)


def test_across_the_preferred_direction_little_flows(table):
    """The hand target's preferred current is that of a coil at 45 degrees."""
    assert int(np.argmax(table.along.values)) == 1


def test_it_says_where_it_comes_from(table, coil):
    assert table.along.attrs["units"] == "V/m"
    assert table.attrs["engine"] == "full"
    assert table.attrs["didt"] == 2e6
    assert {"head", "conductivity", "coil", "efield"} <= table.attrs.keys()


def test_a_basis_gives_the_same_table_within_its_certificate(table, basis, coil, poses, target):
    calls = []
    fast = sweep(basis, coil, poses, target=target, didt=2e6, progress=lambda *told: calls.append(told))
    assert fast.attrs["engine"] == "reduced"
    assert fast.attrs["head"] == table.attrs["head"]
    assert calls == [(5, 5, "")]
    # As in test_basis: placements that are not among the certificate's.
    allowed = 2 * basis.certificate.field.max
    for name in ("mean_magnitude", "along"):
        assert np.abs(fast[name] - table[name]).max() < allowed * table.mean_magnitude.max()


def test_what_cannot_be_swept_is_refused(sim, basis, coil, poses, target):
    with pytest.raises(InputError, match="at least one"):
        sweep(sim, coil, [], target=target)
    with pytest.raises(InputError, match="built for"):
        sweep(basis, Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]), poses, target=target)
    with pytest.raises(InputError, match="outside"):
        sweep(basis, coil, [poses[0].moved((0, 0, -50))], target=target)


@pytest.fixture(scope="module")
def adjoint(by_axes):
    return by_axes


@pytest.fixture(params=["full", "reduced", "reciprocal"])
def engine(request, sim, basis, adjoint):
    return {"full": sim, "reduced": basis, "reciprocal": adjoint}[request.param]


def test_a_placement_has_the_same_bits_in_whatever_company(engine, coil, poses, target):
    together = measure(engine, coil, poses, target)
    assert together.keys() == columns(engine, target).keys()
    for part in (slice(0, 1), slice(1, 3), slice(2, 5)):
        alone = measure(engine, coil, poses[part], target)
        for name in together:
            np.testing.assert_array_equal(alone[name], together[name][part])


def test_exact_reciprocity_is_the_full_solve(sim, adjoint, one, coil, poses, target):
    full = sweep(sim, coil, poses, target=target, exact=True)
    other = sweep(adjoint, coil, poses, target=target, exact=True)
    length = np.hypot(full.along, full.across)
    # Both solvers stop at 1e-9; the field's error is a few hundred times that at most.
    assert np.abs(other.along - full.along).max() < 1e-6 * length.max()
    assert np.abs(other.mean_vector - length).max() < 1e-6 * length.max()
    assert "mean_magnitude" not in other
    fast = sweep(one, coil, poses, target=target, exact=False)
    assert np.abs(fast.along - full.along).max() < 1e-4 * length.max()
    assert (fast.attrs["route"], other.attrs["route"]) == ("fast", "exact, as asked for")


def test_a_small_sweep_stores_nothing(sim, adjoint, coil, poses, target):
    assert "less time" in sweep(adjoint, coil, poses[:1], target=target).attrs["route"]
    assert sweep(sim, coil, poses[:1], target=target).attrs["route"] == "direct sums"


def test_reverse_turns_the_field_of_given_poses_and_the_handles_of_a_grid(adjoint, coil, poses, target):
    along = {current: sweep(adjoint, coil, poses[:2], target=target, current=current) for current in CURRENTS}
    np.testing.assert_allclose(along["reverse"].along, -along["normal"].along, rtol=1e-12)
    grid = PlacementGrid(radius_mm=0.0, angles_deg=(0, 60))
    laid = {current: sweep(adjoint, coil, grid, target=target, current=current) for current in CURRENTS}
    # Wings are mirror images but for the sampling of their discs.
    np.testing.assert_allclose(laid["reverse"].along, laid["normal"].along, rtol=1e-3)
    assert laid["reverse"].attrs["current"] == "reverse"
    assert laid["normal"].attrs["coil_induced_direction"] == [0.0, 1.0, 0.0]


def test_rates_scale_magnitudes_by_their_size_and_components_with_their_sign(adjoint, coil, poses, target):
    rates = [1e6, -2e6, 0.0]
    table = sweep(adjoint, coil, poses, target=target, didt=rates)
    assert table.along.dims == ("didt", "placement")
    np.testing.assert_allclose(table.along, np.outer(np.array(rates) / 1e6, table.along[0]), rtol=1e-12)
    np.testing.assert_allclose(table.mean_vector, np.outer(np.abs(rates) / 1e6, table.mean_vector[0]), rtol=1e-12)
    assert table.didt.attrs["units"] == "A/s"


def test_a_grid_brings_its_coordinates_and_several_coils_and_heads_their_dimensions(sim, adjoint, coil, target):
    grid = PlacementGrid(radius_mm=6.0, spacing_mm=6.0, angles_deg=(0, 90))
    small = Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]])
    both = {"first": adjoint, "second": adjoint}
    table = sweep(both, [coil, small], grid, target={"first": target, "second": target})
    assert table.along.dims == ("head_name", "coil", "placement")
    assert table.sizes["placement"] == grid.count == len(table.u_mm)
    assert list(table["head_name"].values) == ["first", "second"]
    assert list(table["coil"].values) == [coil.name, small.name]
    np.testing.assert_array_equal(table.along[0], table.along[1])
    labelled = sweep(adjoint, {"one": small, "other": small}, grid, target=target)
    assert list(labelled["coil"].values) == ["one", "other"]
    np.testing.assert_array_equal(labelled.along[0], labelled.along[1])
    one = sweep(adjoint, small, grid, target=target)
    np.testing.assert_array_equal(one.along, table.along[0, 1])
    assert one.u_mm.attrs["units"] == "mm"


def test_fields_on_request_are_those_of_the_solves(sim, basis, adjoint, head, coil, poses, target):
    tets = target.tets(head)
    full = sweep(sim, coil, poses[:2], target=target, fields=True)
    np.testing.assert_array_equal(full.tet, tets)
    exact = sim.solve(coil, poses[1]).e[tets]
    # The coil's potential is stored for sweeps, with an error of 1e-4 of its peak.
    assert np.abs(full.e[1] - exact).max() < 1e-3 * np.abs(exact).max()
    fast = sweep(basis, coil, poses[:2], target=target, fields=True)
    assert np.abs(fast.e[1] - exact).max() < 10 * basis.certificate.field.max * np.abs(exact).max()
    with pytest.raises(InputError, match="reciprocity gives means only"):
        sweep(adjoint, coil, poses, target=target, fields=True)


def test_a_stack_of_rounded_matrices_and_their_poses_give_the_same_table(adjoint, coil, poses, target):
    stack = np.round([pose.matrix for pose in poses], 3)
    listed = sweep(adjoint, coil, [Pose(matrix) for matrix in stack], target=target)
    assert sweep(adjoint, coil, stack, target=target).identical(listed)
    assert sweep(adjoint, coil, listed.pose.values, target=target).identical(listed)
    assert sweep(adjoint, coil, Placements(stack), target=target).identical(listed)
    assert np.array_equal(adjoint.along(coil, stack), adjoint.along(coil, Placements(stack).poses))


def test_sweeps_that_mean_nothing_are_refused(sim, basis, adjoint, coil, poses, target):
    with pytest.raises(InputError, match="different names"):
        sweep(adjoint, [coil, coil], poses, target=target)
    for wrong in (np.eye(4), poses[0]):
        with pytest.raises(InputError, match="poses must be"):
            sweep(adjoint, coil, wrong, target=target)
    with pytest.raises(InputError, match="engine must be"):
        sweep("sphere", coil, poses, target=target)
    with pytest.raises(InputError, match="does not exist"):
        sweep(adjoint, "two.ccd", poses, target=target)
    other = Target("elsewhere", target.center_mm, 5.0, direction=target.direction)
    with pytest.raises(InputError, match="adjoint problems"):
        sweep(adjoint, coil, poses, target=other)
    with pytest.raises(InputError, match="exact must be False"):
        sweep(basis, coil, poses, target=target, exact=True)
    with pytest.raises(InputError, match="entry for every head"):
        sweep({"a": adjoint}, coil, poses, target={"b": target})
    with pytest.raises(InputError, match="didt"):
        sweep(adjoint, coil, poses, target=target, didt=[])
    far = [poses[0].moved((0, 0, -40)), *poses, poses[1].moved((0, 0, -40))]
    with pytest.raises(InputError, match="2 lie outside, the first is number 0"):
        sweep(basis, coil, far, target=target)


def test_a_file_of_poses_is_taken_wherever_poses_are(table, sim, basis, by_axes, coil, poses, target, tmp_path):
    file = tmp_path / "poses.json"
    PoseTable(poses, ["a", "b", "c", "d", "e"]).write(file)
    again = sweep(sim, coil, file, target=target, didt=2e6)
    # A matrix may be turned by rounding on its way through a check, as any list of poses is.
    assert np.allclose(again.along, table.along, rtol=1e-9)
    assert sweep(sim, coil, f"{file}:b", target=target, didt=2e6).along[0] == again.along[1]
    stack = np.array([pose.matrix for pose in poses])
    assert np.array_equal(by_axes.mean(coil, file), by_axes.mean(coil, stack))
    assert np.array_equal(by_axes.mean(coil, read_poses(file)), by_axes.mean(coil, stack))
    assert np.array_equal(basis.measures(file)["mean_magnitude"], basis.measures(poses)["mean_magnitude"])
    assert np.array_equal(basis.field(f"{file}:c").e, basis.field(poses[2]).e)
    assert np.array_equal(sim.solve(coil, f"{file}:5").e, sim.solve(coil, poses[4]).e)
    assert [field.pose.matrix.tolist() for field in sim.solve_many(coil, file)] == stack.tolist()
    rounded = tmp_path / "rounded.txt"
    rounded.write_text("\n".join(" ".join(f"{value:.2f}" for value in row) for row in poses[1].matrix))
    with pytest.warns(EfieldWarning, match="fewer than three decimals"):
        (field,) = sim.solve_many(coil, rounded)
    assert np.allclose(field.pose.matrix, poses[1].matrix, atol=0.01)
    with pytest.raises(FileFormatError, match="one pose is needed"):
        sim.solve(coil, file)
