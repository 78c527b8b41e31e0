"""Coil and head together: linear, the same in blocks, and the same wherever the pair stands in space."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from efield.coils.drive import Drive
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.io.meshes import gmsh
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand
from efield.targeting.validation import closed_form
from tests.small import light_coil

#: The solver stops at a relative residual of 1e-8; the field's error is a few hundred times that at most.
SOLVER = 1e-5


@pytest.fixture(scope="module")
def head():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=9.0)


@pytest.fixture(scope="module")
def coil():
    return light_coil()


@pytest.fixture(scope="module")
def pose(head, coil):
    return place_coil(head, m1_hand(head), coil=coil)


@pytest.fixture(scope="module")
def simulator(head):
    return Simulator(head)


@pytest.fixture(scope="module")
def field(simulator, coil, pose):
    return simulator.solve(coil, pose, didt=1e6)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def test_the_field_is_linear_in_the_drive(simulator, coil, pose, field):
    assert relative(simulator.solve(coil, pose, didt=-2e6).e, -2 * field.e) < SOLVER
    assert relative(simulator.solve_together(Drive(coil, pose, 1e6), allow_collision=True).e, field.e) < SOLVER
    with pytest.raises(ValueError, match="read-only"):
        field.e[:] = 0


def test_many_placements_give_what_each_gives_alone(simulator, coil, pose, field):
    poses = [pose, pose.moved((0, 0, -5)), *[pose.moved((k, 0, -1)) for k in range(8)]]
    fields = list(simulator.solve_many(coil, iter(poses)))
    assert len(fields) == len(poses)
    assert relative(fields[0].e, field.e) < SOLVER
    assert relative(fields[1].e, simulator.solve(coil, poses[1]).e) < SOLVER
    assert fields[1].pose is poses[1]


def test_head_and_coil_moved_together_carry_the_field_along(head, coil, pose, field):
    turn, shift = Rotation.from_euler("xyz", (0.3, -0.4, 1.1)).as_matrix(), np.array([20.0, -35, 10])
    moved_head = HeadMesh(points=head.points @ turn.T + shift, tets=head.tets, tissue=head.tissue)
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = turn, shift
    moved = Simulator(moved_head).solve(coil, Pose(motion @ pose.matrix))
    assert relative(moved.e, field.e @ turn.T) < SOLVER


def test_on_a_sphere_conductivity_plays_no_part(head, coil, pose, field):
    """True of the exact field; here up to the mesh's error, far below what a factor of ten in skull would do."""
    resistive = Simulator(head, Conductivity().with_values({4: 0.001}))
    brain = head.tissue == 2
    # Nine-millimeter edges: the element field misses the closed form by five percent.
    assert relative(resistive.solve(coil, pose).e[brain], field.e[brain]) < 0.05


def test_the_current_under_the_coil_runs_along_its_y_axis(field, pose, head):
    e = field.at(m1_hand(head).center_mm[None] * 0.97)[0]
    assert e @ pose.y / np.linalg.norm(e) > 0.99


def test_outside_the_head_the_field_is_unknown(field):
    assert np.isnan(field.at([[0, 0, 300.0]])).all()


def test_the_field_on_a_grid_is_the_field_at_its_voxels(field):
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = -90
    volume = field.magnitude_on_grid((37, 37, 37), affine)
    index = np.argwhere(np.isfinite(volume))
    at = np.linalg.norm(field.at(index * 5.0 - 90), axis=1)
    assert len(index) > 15_000
    assert np.isnan(volume[0, 0, 0])
    # The grid blends nodal values linearly, `at` adds the recovered gradient.
    assert relative(volume[tuple(index.T)], at) < 0.02


def test_files_hold_the_field(field, tmp_path):
    import nibabel
    import pyvista

    field.save(tmp_path / "field.vtu")
    mesh = pyvista.read(tmp_path / "field.vtu")
    assert np.allclose(mesh.cell_data["E"], field.e, rtol=1e-6)
    field.save(tmp_path / "field.msh")
    assert (tmp_path / "field.msh").stat().st_size > 1e6
    field.to_nifti(tmp_path / "field.nii.gz")
    image = nibabel.load(tmp_path / "field.nii.gz")
    assert np.allclose(np.diag(image.affine), 1)
    assert np.allclose(image.affine[:3, 3], np.round(image.affine[:3, 3]))
    nibabel.save(image.slicer[::7, ::7, ::7], tmp_path / "coarse.nii.gz")
    field.to_nifti(tmp_path / "again.nii.gz", like=tmp_path / "coarse.nii.gz")
    again = nibabel.load(tmp_path / "again.nii.gz")
    assert np.allclose(np.diag(again.affine), (7, 7, 7, 1))
    assert np.allclose(again.dataobj, np.asarray(image.dataobj)[::7, ::7, ::7], rtol=1e-5, equal_nan=True)
    with pytest.raises(InputError, match=r"\.vtu or \.msh"):
        field.save(tmp_path / "field.stl")


def test_a_field_is_saved_only_to_a_file_with_a_name(field):
    with pytest.raises(
        InputError, match=r"path must be the name of a file, such as 'field\.vtu'; instead received None"
    ):
        field.save(None)


@pytest.fixture(scope="module")
def second(head, coil, pose):
    """The field of elements of second order."""
    return Simulator(head, order=2).solve(coil, pose)


def test_second_order_is_nearer_to_the_closed_form(head, coil, pose, field, second):
    brain = np.flatnonzero(
        (head.tissue == 2) & (np.linalg.norm(head.barycenters - m1_hand(head).center_mm, axis=1) < 30)
    )
    true = closed_form(coil, pose, head.barycenters[brain], 1e6)
    assert relative(second.e[brain], true) < 0.1 * relative(field.e[brain], true)


def test_unknown_tissue_is_refused(head):
    odd = HeadMesh(points=head.points, tets=head.tets, tissue=np.where(head.tissue == 3, 77, head.tissue))
    with pytest.raises(InputError, match=r"\[77\]"):
        Simulator(odd)


def test_a_drive_must_be_a_number(simulator, coil, pose):
    with pytest.raises(InputError, match="didt"):
        simulator.solve(coil, pose, didt=np.nan)


def test_the_smooth_field_of_second_order_is_right_at_centers_and_nearer_between_them(head, coil, pose, field, second):
    brain = np.flatnonzero(
        (head.tissue == 2) & (np.linalg.norm(head.barycenters - m1_hand(head).center_mm, axis=1) < 30)
    )
    np.testing.assert_allclose(second.at(head.barycenters[brain]), second.e[brain], atol=1e-9)
    np.testing.assert_array_equal(second.in_tets(brain), second.e[brain])
    weights = np.random.default_rng(0).dirichlet(np.ones(4), len(brain))
    places = np.einsum("kc,kcd->kd", weights, head.points[head.tets[brain]])
    true = closed_form(coil, pose, places, 1e6)
    assert relative(second.at(places), true) < 0.5 * relative(field.at(places), true)
    assert np.isnan(second.at([[0.0, 0.0, 500.0]])).all()


def test_a_gmsh_result_has_the_surface_of_each_tissue_with_the_field_within(head, field, tmp_path):
    field.save(tmp_path / "field.msh")
    mesh = gmsh.read_mesh(tmp_path / "field.msh")
    assert sorted(set(mesh.triangle_tags)) == [1000 + tag for tag in head.tags]
    corners = mesh.points[mesh.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    radius = np.linalg.norm(corners, axis=2).mean(axis=1)
    for tag in head.tags:
        outer = np.linalg.norm(head.points[head.tets[head.tissue == tag]], axis=2).max()
        chosen = mesh.triangle_tags == 1000 + tag
        assert np.abs(radius[chosen] - outer).max() < 1e-6 * outer  # each shell once, none of its inner side
        assert area[chosen].sum() == pytest.approx(4 * np.pi * outer**2, rel=0.02)
    # The field of the nearest tetrahedron of the same tissue, as float32.
    first = int(np.flatnonzero(mesh.triangle_tags == 1002)[0])
    within = np.flatnonzero(np.isin(head.tets, mesh.triangles[first]).sum(axis=1) == 3)
    owner = within[head.tissue[within] == 2]
    assert_allclose(mesh.triangle_data["E"][first], field.e[owner[0]], rtol=1e-6)
    assert_allclose(mesh.triangle_data["magnE"][first], field.magnitude[owner[0]], rtol=1e-6)


def test_many_solves_tell_how_far_they_are_also_where_their_number_is_not_known(simulator, coil):
    pose = Pose.from_axes((0, 0, 95), (0, 1, 0), (0, 0, -1))
    seen = []
    list(simulator.solve_many(coil, [pose, pose], progress=lambda *told: seen.append(told)))
    assert seen == [(1, 2, ""), (2, 2, "")]
    seen.clear()
    next(simulator.solve_many(coil, iter([pose, pose]), progress=lambda *told: seen.append(told)))
    assert seen == [(1, 0, "")]
