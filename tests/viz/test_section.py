"""Plane sections keep areas, linear functions and interfaces."""

import numpy as np
import pytest

from efield.viz.section import cut


def lengths(segments):
    return np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)


def areas(section):
    p0, p1, p2 = (section.points_mm[section.triangles[:, k]] for k in range(3))
    (ax, ay), (bx, by) = (p1 - p0).T, (p2 - p0).T
    return np.abs(ax * by - ay * bx) / 2


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("position_mm", [-49.0, 0.0, 3.7, 50.0 / 3])
def test_a_section_has_the_area_of_the_cube_even_through_nodes(halves, axis, position_mm):
    # rounding: about 1e3 triangles of up to 1e2 mm^2
    assert areas(cut(halves, axis, position_mm)).sum() == pytest.approx(1e4, rel=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_linear_functions_are_interpolated_exactly(halves, axis):
    section = cut(halves, axis, 3.7)
    nodal = halves.points @ np.array([[1.0, 0.3], [-2.0, 0.1], [0.5, 0.7]]) + 4.0
    where = np.insert(section.points_mm, axis, 3.7, axis=1)
    expected = where @ np.array([[1.0, 0.3], [-2.0, 0.1], [0.5, 0.7]]) + 4.0
    # the plane is shifted by 1e-6 mm so that it passes through no node
    np.testing.assert_allclose(section.interpolated(nodal), expected, atol=1e-5)


def test_triangles_keep_the_tissue_of_their_tetrahedron(halves):
    section = cut(halves, 2, 3.7)
    center_x = section.points_mm[section.triangles].mean(axis=1)[:, 0]
    np.testing.assert_array_equal(section.tissue, np.where(center_x < 0, 1, 2))


@pytest.mark.parametrize("axis", [1, 2])
def test_outlines_are_the_interfaces_and_the_outer_border(halves, axis):
    section = cut(halves, axis, 3.7)
    size = lengths(section.outlines_mm)
    at_interface = np.abs(section.outlines_mm[:, :, 0]).max(axis=1) < 1e-9
    assert size[at_interface].sum() == pytest.approx(100.0)
    assert size[~at_interface].sum() == pytest.approx(400.0)
    np.testing.assert_array_equal(np.unique(section.outline_tags[at_interface]), [1])


def test_a_plane_beside_the_head_cuts_nothing(halves):
    section = cut(halves, 0, 70.0)
    assert len(section.points_mm) == len(section.triangles) == len(section.outlines_mm) == 0
