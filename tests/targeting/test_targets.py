"""Targets lie in gray matter and know their current direction."""

import numpy as np
import pytest

from efield.ground.errors import InputError, OutsideHeadError
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.targeting.tangent import medial_sign, tangent_direction
from efield.targeting.targets import NAMES, Target, m1_face, m1_hand, m1_leg, named_target, parse_target


@pytest.fixture(scope="module")
def sphere():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=9.0)


@pytest.fixture(scope="module")
def in_mni(sphere):
    """A sphere that claims MNI coordinates, big enough to hold the motor targets."""
    return HeadMesh(points=sphere.points * 1.1, tets=sphere.tets, tissue=sphere.tissue, mni=np.eye(4))


def test_tangent_angles_are_anterior_then_medial_on_both_sides():
    up = np.array([0.0, 0, 1])
    assert tangent_direction(up, 0, 1) == pytest.approx([0, 1, 0])
    assert tangent_direction(up, 90, 1) == pytest.approx([1, 0, 0])
    assert tangent_direction(up, 90, -1) == pytest.approx([-1, 0, 0])
    assert (medial_sign(np.array([-3, 0, 0])), medial_sign(np.array([3, 0, 0]))) == (1, -1)


def test_forehead_and_occiput_take_the_sense_of_a_coil_slid_from_the_vertex():
    assert tangent_direction(np.array([0.0, 1, 0]), 0, 1) == pytest.approx([0, 0, -1])
    assert tangent_direction(np.array([0.0, -1, 0]), 0, 1) == pytest.approx([0, 0, 1])


def test_the_hand_on_a_sphere_lies_on_the_gray_surface_under_the_published_hotspot(sphere):
    left, right = m1_hand(sphere, "left"), m1_hand(sphere, "right")
    assert np.linalg.norm(left.center_mm) == pytest.approx(70.0)
    assert left.center_mm * (-1, 1, 1) == pytest.approx(right.center_mm)
    arc = 85 * np.arctan2(-left.center_mm[0], left.center_mm[2])
    assert arc == pytest.approx(52.0, abs=0.1)
    assert left.direction @ left.center_mm == pytest.approx(0, abs=1e-9)
    assert left.direction[0] > 0 > right.direction[0]


@pytest.mark.parametrize("find", [m1_hand, m1_leg, m1_face])
@pytest.mark.parametrize("side", ["left", "right"])
def test_mni_targets_are_in_gray_matter_on_their_side(in_mni, find, side):
    target = find(in_mni, side)
    assert (target.center_mm[0] < 0) == (side == "left")
    assert set(in_mni.tissue[target.tets(in_mni)]) == {2}
    assert np.linalg.norm(target.direction) == pytest.approx(1)
    assert "MNI" in target.note


def test_the_hand_current_runs_posterior_lateral_to_anterior_medial(in_mni):
    left = m1_hand(in_mni, "left")
    assert left.direction[1] > 0
    assert left.direction[0] > 0


def test_names_and_coordinates_are_understood(sphere):
    assert named_target(sphere, "M1-Hand-Left").name == "m1-hand-left"
    assert named_target(sphere, "0,0,65").center_mm == pytest.approx([0, 0, 65])
    assert len(NAMES) == 6


def test_an_electrode_stands_for_the_cortex_below_it(sphere):
    target = named_target(sphere, "cz")
    assert target.name.startswith("Cz")
    assert target.center_mm / np.linalg.norm(target.center_mm) == pytest.approx([0, 0, 1], abs=0.08)
    assert np.linalg.norm(target.center_mm) < 70


@pytest.mark.parametrize(
    ("text", "words"),
    [("m1-hand-lft", "did you mean 'm1-hand-left'"), ("1,2", "three numbers|shape"), ("1,b,3", "three numbers")],
)
def test_a_target_that_cannot_be_understood_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        parse_target(text)


def test_without_mni_coordinates_the_error_says_what_to_give(sphere):
    with pytest.raises(InputError, match=r"register_to_mni\(head\), --register or --fiducials.*x,y,z"):
        m1_leg(sphere, "left")


def test_a_misplaced_mni_map_is_noticed(sphere):
    shifted = np.eye(4)
    shifted[0, 3] = 200
    head = HeadMesh(points=sphere.points, tets=sphere.tets, tissue=sphere.tissue, mni=shifted)
    with pytest.raises(OutsideHeadError, match="MNI"):
        m1_hand(head, "left")


def test_an_unknown_side_is_refused(in_mni):
    with pytest.raises(InputError, match="side"):
        m1_hand(in_mni, "middle")


def test_the_region_is_the_tissue_within_the_radius(sphere):
    target = Target.sphere(center_mm=(0, 0, 50), radius_mm=15)
    distance = np.linalg.norm(sphere.barycenters[target.tets(sphere)] - (0, 0, 50), axis=1)
    assert distance.max() <= 15
    with pytest.raises(InputError, match="radius_mm"):
        Target.sphere(center_mm=(0, 0, 50), radius_mm=0)
