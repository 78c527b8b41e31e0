"""Targets lie in gray matter and know their current direction."""

import json

import numpy as np
import pytest

from efield.ground.errors import InputError, OutsideHeadError
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap, WarpMap, spread_in_head
from efield.head.spheres import sphere_head
from efield.io.load import load_coil, load_head
from efield.targeting.motor_sites import SITES
from efield.targeting.naming import target_facts
from efield.targeting.tangent import medial_sign, tangent_direction
from efield.targeting.targets import NAMES, Target, m1_face, m1_hand, m1_leg, named_target, parse_target


@pytest.fixture(scope="module")
def sphere():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=9.0)


@pytest.fixture(scope="module")
def in_mni(sphere):
    """A sphere that claims MNI coordinates, big enough to hold the motor targets."""
    return HeadMesh(points=sphere.points * 1.1, tets=sphere.tets, tissue=sphere.tissue, mni=np.eye(4))


def test_changing_the_given_center_later_does_not_move_the_target():
    center = np.array([0.0, 0.0, 60.0])
    target = Target.sphere(center_mm=center)
    center += 5
    assert target.center_mm.tolist() == [0, 0, 60]


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
    assert "MNI" in target.space
    assert ("mirrored from the left side (unverified)" in target.source) == (side == "right")


def test_the_hand_is_the_population_hotspot_and_the_old_place_keeps_a_name(in_mni):
    hand, old = (named_target(in_mni, name) for name in ("m1-hand-left", "m1-hand-left:mayka"))
    gray = in_mni.barycenters[in_mni.tissue == 2]
    for target, place in ((hand, (-39.4, -15.3, 62.1)), (old, (-37, -21, 58))):
        assert target.center_mm == pytest.approx(gray[np.argmin(np.linalg.norm(gray - place, axis=1))])
    assert hand.spread_mm == pytest.approx((2.7, 4.0, 4.0))
    assert old.spread_mm is None
    assert old.space.startswith("Talairach, taken as MNI152")
    assert old.center_mm == pytest.approx(m1_hand(in_mni, variant="mayka").center_mm)
    with pytest.raises(InputError, match="variant must be one of"):
        m1_hand(in_mni, variant="mayk")


def test_coordinates_of_mayka_2006_are_those_whose_talairach_image_was_published():
    """x' = .99 x, y' = .9688 y + .0460 z, z' = -.0485 y + .9189 z, as the paper converted."""
    to_talairach = np.array([[0.99, 0, 0], [0, 0.9688, 0.0460], [0, -0.0485, 0.9189]])
    assert to_talairach @ SITES["face", ""].mni_mm == pytest.approx((-54, -8, 35), abs=0.1)
    x, y, z = to_talairach @ SITES["leg", ""].mni_mm
    assert (x, y) == pytest.approx((-7, -32), abs=0.5)
    assert 60 < z < 70
    assert to_talairach @ (-37.4, -24.6, 61.8) == pytest.approx((-37, -21, 58), abs=0.1)


def test_a_map_to_a_head_takes_the_spread_along():
    """A quarter turn about z and a stretch of 1.2: x becomes y, and all is larger."""
    matrix = np.eye(4)
    matrix[:3, :3] = 1.2 * np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    maps = [AffineMap(matrix)]
    index = np.stack(np.meshgrid(*(np.arange(0, 200.0, 10),) * 3, indexing="ij"), axis=-1) - 100
    grid = np.diag([10.0, 10, 10, 1])
    grid[:3, 3] = -100
    maps.append(WarpMap(index @ matrix[:3, :3].T + 3.0, grid))
    for mni in maps:
        spread = spread_in_head(mni, (-39.4, -15.3, 62.1), (2.7, 4.0, 5.0))
        assert spread == pytest.approx(1.2 * np.array([4.0, 2.7, 5.0]), rel=1e-5)
    tilted = np.eye(4)
    c = s = np.sqrt(0.5)
    tilted[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    both = np.sqrt((2.7**2 + 4.0**2) / 2)
    assert spread_in_head(AffineMap(tilted), (0, 0, 0), (2.7, 4.0, 5.0)) == pytest.approx((both, both, 5.0))


def test_on_a_sphere_leg_and_face_lie_below_their_places_on_the_scalp(sphere):
    leg, face, hand = m1_leg(sphere), m1_face(sphere), m1_hand(sphere)
    for target in (leg, face, hand):
        assert np.linalg.norm(target.center_mm) == pytest.approx(70.0)
        assert target.center_mm[0] < 0
        assert target.direction @ target.center_mm == pytest.approx(0, abs=1e-9)
    assert leg.center_mm[1] < 0 < face.center_mm[1]
    assert face.center_mm[2] < hand.center_mm[2] < leg.center_mm[2]
    # 8 mm along the scalp of 85 mm in two directions that are perpendicular to each other and to the radius.
    assert np.sum(hand.spread_mm**2) == pytest.approx(2 * (8.0 * 70 / 85) ** 2)
    assert face.spread_mm is None
    assert leg.direction[0] < 0 < leg.direction[1]


def test_facts_of_a_target_are_in_its_face_its_json_and_the_list(in_mni):
    hand = m1_hand(in_mni, "right")
    assert "SD (2.7, 4.0, 4.0) mm" in repr(hand)
    told = hand.to_json()
    assert told["spread_mm"] == pytest.approx([2.7, 4.0, 4.0])
    assert told["space"] == "MNI152 (39.4, -15.3, 62.1)"
    listed = {name: target_facts(name) for name in NAMES}
    assert listed["m1-hand-right"]["center_mm"] == pytest.approx([39.4, -15.3, 62.1])
    assert "mirrored" in listed["m1-hand-right"]["source"]
    assert "Talairach" in listed["m1-hand-left:mayka"]["space"]
    json.dumps([told, listed])


def test_the_hand_current_runs_posterior_lateral_to_anterior_medial(in_mni):
    left = m1_hand(in_mni, "left")
    assert left.direction[1] > 0
    assert left.direction[0] > 0


def test_names_and_coordinates_are_understood(sphere):
    assert named_target(sphere, "M1-Hand-Left").name == "m1-hand-left"
    assert named_target(sphere, "0,0,65").center_mm == pytest.approx([0, 0, 65])
    assert len(NAMES) == 8


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
    bent = HeadMesh(points=sphere.points * (1.0, 1.1, 1.0), tets=sphere.tets, tissue=sphere.tissue)
    for find in (m1_hand, m1_leg, m1_face):
        with pytest.raises(
            InputError, match=r"register_to_mni\(head\), or --register or --fiducials of `efield simulate`.*x,y,z"
        ):
            find(bent, "left")
    with pytest.raises(InputError, match="m1-hand-left:mayka needs a head with a map"):
        named_target(sphere, "m1-hand-left:mayka")


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


def test_a_head_is_given_itself_or_by_its_name():
    assert m1_hand("sphere").center_mm.tolist() == m1_hand(load_head("sphere")).center_mm.tolist()
    for load in (load_head, load_coil):
        with pytest.raises(InputError, match="must be a name or a file; instead received None"):
            load(None)
