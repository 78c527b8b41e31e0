"""The middle of the cortex lies in the middle: known on spheres, bounded on the shipped head's hand area."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.midsurface import cortical_thickness, mid_surface
from efield.head.spheres import sphere_head
from efield.head.surface import cortex


def layered(inner, outer, edge):
    return sphere_head((inner, outer, 85.0), (1, 2, 5), edge_mm=edge)


def test_between_spheres_it_is_the_sphere_between_up_to_the_facets():
    inner, outer = 66.0, 70.0
    for edge in (8.0, 5.0):
        head = layered(inner, outer, edge)
        radius = np.linalg.norm(mid_surface(head).points_mm, axis=1)
        # The interface is made of flat triangles, which lie up to edge^2 / (6 R) inside the sphere (circumradius
        # edge / sqrt(3)); the longest edges are a fifth longer than the mean. Half of that is the middle's share.
        sag = (1.25 * edge) ** 2 / (6 * inner)
        assert np.abs(radius - (inner + outer) / 2).max() < sag / 2 + 1e-9
        assert cortical_thickness(head) == pytest.approx(np.full(len(radius), outer - inner), abs=sag)


def test_gray_matter_too_thick_for_cortex_is_entered_by_half_the_mean_thickness_of_cortex():
    radius = np.linalg.norm(mid_surface(layered(50.0, 70.0, 8.0)).points_mm, axis=1)
    # Vertex normals are off the radius by a degree or two, which costs 1.25 (1 - cos) mm.
    assert radius == pytest.approx(np.full(len(radius), 68.75), abs=0.005)


def test_it_keeps_the_triangles_of_the_pial_surface_and_its_normals_point_outward():
    head = layered(66.0, 70.0, 8.0)
    middle = mid_surface(head)
    assert np.array_equal(middle.triangles, cortex(head).triangles)
    assert (np.einsum("ij,ij->i", middle.normals, middle.points_mm) > 0).all()
    assert mid_surface(head) is middle


def test_without_white_matter_there_is_no_middle():
    with pytest.raises(InputError, match="white and gray matter"):
        mid_surface(sphere_head((60.0, 70.0), (2, 5), edge_mm=12.0))
