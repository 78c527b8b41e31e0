"""The field on surfaces that are not part of the mesh: components, what is outside, and files."""

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import InputError, OutsideHeadError
from efield.ground.pose import Pose
from efield.head.midsurface import mid_surface
from efield.head.spheres import sphere_head
from efield.head.surface import TriangleSurface
from efield.io.surfaces.gifti import read_surface, read_values
from efield.targeting.simulate import Simulator
from efield.targeting.validation import closed_form
from tests.small import light_coil

POSE = Pose.from_axes((0.0, 0, 97), (0, 1, 0), (0, 0, -1))


@pytest.fixture(scope="module")
def head():
    return sphere_head((66.0, 70.0, 78.0, 85.0), (1, 2, 4, 5), edge_mm=8.0)


@pytest.fixture(scope="module")
def field(head):
    return Simulator(head).solve(light_coil(), POSE, didt=1e6)


def shifted(surface, by):
    return TriangleSurface(surface.points_mm + by, surface.triangles)


def test_the_parts_make_up_the_field_and_the_middle_of_a_sphere_lies_in_gray_matter(head, field):
    found = field.on_surface(mid_surface(head))
    assert found.outside == 0
    assert set(found.tissue) == {2}
    assert_allclose(found.normal**2 + found.tangential**2, found.magnitude**2, rtol=1e-9)
    assert_allclose(found.e, field.at(found.surface.points_mm))


def test_on_a_sphere_the_field_is_tangential_and_that_of_the_closed_form(head, field):
    found = field.on_surface(mid_surface(head))
    true = np.linalg.norm(closed_form(light_coil(), POSE, found.surface.points_mm, 1e6), axis=1)
    # The error of the recovered field at 8 mm edges, as `efield validate` allows it, and as much again at one point.
    allowed = 0.04 * true.max()
    assert np.abs(found.tangential - true).max() < allowed
    # Facets of 8 mm on 68 mm: their vertex normals deviate from the radius by a degree, sin(1 deg) = 0.02.
    assert np.abs(found.normal).max() < allowed + 0.02 * true.max()


def test_positive_normal_points_into_the_cortex(head, field):
    surface = mid_surface(head)
    inside_out = TriangleSurface(surface.points_mm, surface.triangles[:, ::-1])
    found = field.on_surface(surface)
    assert_allclose(field.on_surface(inside_out).normal, -found.normal, atol=1e-12)
    assert_allclose(found.normal, -np.einsum("ij,ij->i", found.e, surface.normals))


def test_vertices_outside_the_head_are_nan_and_counted(head, field):
    found = field.on_surface(shifted(mid_surface(head), (0, 0, 40.0)))
    out = np.linalg.norm(found.surface.points_mm, axis=1) > 85.0
    assert found.outside == out.sum() > 0
    assert_array_equal(np.isnan(found.magnitude), out)
    with pytest.raises(OutsideHeadError, match="vertices are outside"):
        field.on_surface(shifted(mid_surface(head), (0, 0, 150.0)))


def test_a_file_holds_the_middle_of_the_cortex_and_the_field_on_it(head, field, tmp_path):
    found = field.to_gifti(tmp_path / "field.gii")
    assert_allclose(read_surface(tmp_path / "field.gii").points_mm, mid_surface(head).points_mm, atol=1e-5)
    values = read_values(tmp_path / "field.gii")
    assert list(values) == ["E_magn", "E_normal", "E_tangent"]
    assert_allclose(values["E_magn"], found.magnitude, rtol=1e-6)
    assert_allclose(values["E_normal"], found.normal, atol=1e-6 * found.magnitude.max())


def test_an_overlay_of_a_given_surface_has_a_value_per_vertex_of_it(head, field, tmp_path):
    surface = shifted(mid_surface(head), (0, 0, 40.0))
    found = field.to_gifti(tmp_path / "lh.func.gii", surface)
    arrays = nibabel.load(tmp_path / "lh.func.gii").darrays
    assert [len(array.data) for array in arrays] == [len(surface.points_mm)] * 3
    assert np.isnan(arrays[0].data).sum() == found.outside


def test_a_head_without_white_matter_needs_a_surface(tmp_path):
    bare = sphere_head((70.0, 78.0, 85.0), (2, 4, 5), edge_mm=12.0)
    field = Simulator(bare).solve(light_coil(), POSE, didt=1e6)
    with pytest.raises(InputError, match="give a surface"):
        field.to_gifti(tmp_path / "field.gii")


def test_a_surface_in_meters_is_refused(head, field):
    surface = mid_surface(head)
    with pytest.raises(InputError, match="looks like meters"):
        field.on_surface(TriangleSurface(surface.points_mm / 1000, surface.triangles))


@pytest.mark.parametrize(("stretch", "refused"), [((0.85, 1.15, 1.3), True), ((1, 1, 1), False)])
def test_a_smooth_surface_that_cuts_across_tissues_is_refused(head, field, stretch, refused):
    """An inflated hemisphere lies in white and gray matter, bone, scalp and air; a sphere along a tissue is no such."""
    surface = mid_surface(head)
    inflated = TriangleSurface(surface.points_mm * stretch, surface.triangles)
    if refused:
        with pytest.raises(InputError, match="is it inflated or spherical"):
            field.on_surface(inflated)
    else:
        assert field.on_surface(inflated).outside == 0


def test_an_open_sheet_may_lie_anywhere(head, field):
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-80, 80, 9), np.linspace(-80, 80, 9), indexing="ij"))
    first = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    triangles = np.vstack(
        [np.column_stack([first, first + 9, first + 1]), np.column_stack([first + 9, first + 10, first + 1])]
    )
    sheet = TriangleSurface(np.column_stack([x, y, 0 * x]), triangles.astype(np.int32))
    assert len(np.unique(field.on_surface(sheet).tissue)) == 4


def test_values_on_the_heads_own_surface_bring_it_along(head, field, tmp_path):
    field.to_gifti(tmp_path / "cortex.func.gii")
    assert_allclose(read_surface(tmp_path / "cortex.surf.gii").points_mm, mid_surface(head).points_mm, atol=1e-5)
    assert len(read_values(tmp_path / "cortex.func.gii")["E_magn"]) == len(mid_surface(head).points_mm)
    field.to_gifti(tmp_path / "lh.shape.gii", mid_surface(head))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cortex.func.gii", "cortex.surf.gii", "lh.shape.gii"]
    with pytest.raises(InputError, match="holds no field"):
        field.to_gifti(tmp_path / "lh.surf.gii")
