"""A reduced basis: as good as its certificate, refused where it does not hold, and the same however it came about."""

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.head.conductivity import Conductivity
from efield.search.basis import ReducedBasis
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: The certificate's 32 placements do not include the worst there is; other placements miss it by this factor at most.
UNSEEN = 2.0


@pytest.fixture(scope="module")
def unseen(basis, head, coil):
    poses = basis.region.poses(16, (1234,), head, coil)
    return [pose for pose in poses if not basis.region.outside(pose)]


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def test_the_build_meets_its_tolerance_on_placements_it_has_not_seen(basis):
    assert basis.certificate.met
    assert basis.certificate.held_out == 32
    assert 0 < basis.certificate.field.median < basis.certificate.field.p95 <= basis.certificate.field.max
    assert "met" in str(basis.certificate)


def test_its_field_is_that_of_a_full_solve(basis, sim, coil, unseen):
    assert len(unseen) > 12
    for pose in unseen[:4]:
        fast, full = basis.field(pose, -2e6), sim.solve(coil, pose, -2e6)
        assert fast.e.shape == (len(basis.tets), 3)
        assert relative(fast.e, full.e[basis.tets]) < UNSEEN * basis.certificate.field.max
        assert np.allclose(fast.magnitude, np.linalg.norm(fast.e, axis=1))


def test_placing_the_coil_by_name_lands_inside(basis, head, target, coil):
    at = basis.region.station(place_coil(head, target, 30, 4, coil=coil))
    assert at.position_mm < 1
    assert at.tilt_deg < 1
    assert abs(at.distance_mm - 4) < 0.2


def test_measures_in_a_batch_are_those_of_each_field(basis, head, target, unseen):
    table = basis.metrics(unseen, 1e6)
    rows = np.searchsorted(basis.tets, target.tets(head))
    weight = head.volumes[basis.tets[rows]]
    for k, pose in enumerate(unseen[:4]):
        e = basis.field(pose).e[rows]
        # Single precision of the modes.
        assert table["mean_magnitude"][k] == pytest.approx(
            np.average(np.linalg.norm(e, axis=1), weights=weight), rel=1e-5
        )
        assert table["along"][k] == pytest.approx(np.average(e, axis=0, weights=weight) @ target.direction, rel=1e-4)


@pytest.mark.parametrize(
    ("shift", "says"),
    [((0, 0, -20), "farther"), ((0, 0, 2.5), "nearer"), ((15, 0, -2), "edge"), ((300, 0, 0), "edge")],
)
def test_a_pose_outside_is_refused_with_the_distance(basis, head, target, coil, shift, says):
    pose = place_coil(head, target, 45, 4, coil=coil).moved(shift)
    with pytest.raises(InputError, match=says):
        basis.field(pose)
    with pytest.raises(InputError, match="pose 0"):
        basis.metrics([pose])


def test_a_tilted_pose_is_refused(basis, head, target, coil):
    pose = place_coil(head, target, 45, 4, coil=coil)
    tilted = type(pose).from_axes(pose.center_mm, pose.y, pose.z + 0.2 * pose.x)
    with pytest.raises(InputError, match="degrees beyond the tilt"):
        basis.field(tilted)


def test_outside_can_be_answered_by_a_full_solve(basis, sim, head, target, coil):
    pose = place_coil(head, target, 45, 20, coil=coil)
    answer = basis.field(pose, outside="solve")
    assert np.array_equal(answer.e, sim.solve(coil, pose).e[basis.tets])


def test_a_target_beyond_the_basis_is_refused(basis, unseen):
    with pytest.raises(InputError, match="region_radius_mm"):
        basis.metrics(unseen, target=Target.sphere(center_mm=(50, 0, 40), tags=(2,)))


def test_it_says_when_it_cannot_be_accurate_enough(build):
    assert not build(tol=1e-6, region_radius_mm=14.0).certificate.met


def test_the_same_seed_gives_the_same_bits_and_a_killed_build_goes_on_to_them(build, basis, tmp_path):
    def kill(progress):
        if progress.solves == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(checkpoint=tmp_path / "run", progress=kill)
    blocks = sorted((tmp_path / "run").glob("*.npy"))
    assert len(blocks) == 2
    blocks[1].write_bytes(blocks[1].read_bytes()[:1000])
    seen = []
    again = build(checkpoint=tmp_path / "run", progress=seen.append)
    assert np.array_equal(again.model.modes, basis.model.modes)
    assert np.array_equal(again.model.to_modes, basis.model.to_modes)
    assert again.certificate == basis.certificate
    assert seen[-1].solves == 64 + 16 + 32


def test_a_checkpoint_of_other_settings_is_refused(build, tmp_path):
    def kill(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(checkpoint=tmp_path, progress=kill)
    with pytest.raises(InputError, match="placements, drawn differ"):
        build(checkpoint=tmp_path, seed=1)


def test_a_saved_basis_answers_with_the_same_bits(basis, sim, coil, unseen, tmp_path):
    basis.save(tmp_path / "basis")
    loaded = ReducedBasis.load(tmp_path / "basis", sim, coil)
    assert isinstance(loaded.model.modes, np.memmap)
    assert np.array_equal(loaded.field(unseen[0]).e, basis.field(unseen[0]).e)
    assert loaded.certificate == basis.certificate
    assert loaded.region.distance_mm == basis.region.distance_mm
    assert np.array_equal(loaded.target.direction, basis.target.direction)
    with pytest.raises(InputError, match="must not exist"):
        basis.save(tmp_path / "basis")


def test_a_basis_of_something_else_is_refused(basis, sim, head, coil, tmp_path):
    basis.save(tmp_path / "basis")
    with pytest.raises(InputError, match="the coil differ"):
        ReducedBasis.load(tmp_path / "basis", sim, Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]))
    other = Simulator(head, Conductivity().with_values({3: 1.7}), tol=1e-9)
    with pytest.raises(InputError, match="the conductivity differ"):
        ReducedBasis.load(tmp_path / "basis", other, coil)


def test_a_damaged_basis_is_refused(basis, sim, coil, tmp_path):
    with pytest.raises(InputError, match=r"ReducedBasis\.save wrote"):
        ReducedBasis.load(tmp_path, sim, coil)
    basis.save(tmp_path / "basis")
    modes = tmp_path / "basis" / "modes.npy"
    content = bytearray(modes.read_bytes())
    content[-1] ^= 1
    modes.write_bytes(content)
    with pytest.raises(InputError, match="changed"):
        ReducedBasis.load(tmp_path / "basis", sim, coil)
    modes.write_bytes(content[:200])
    with pytest.raises(InputError, match="damaged"):
        ReducedBasis.load(tmp_path / "basis", sim, coil)


@pytest.mark.parametrize(
    "options", [{"tol": 0}, {"max_solves": 10}, {"radius_mm": -1}, {"distance_mm": (5, 3)}, {"region_radius_mm": 2}]
)
def test_bad_options_are_refused(build, options):
    with pytest.raises(InputError):
        build(**options)
