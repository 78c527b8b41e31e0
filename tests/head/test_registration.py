"""A brain is laid onto MNI152: exactly where an affine can, within millimeters where it cannot, or not at all."""

import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from efield.ground.errors import EfieldWarning, InputError
from efield.head import registration
from efield.head.landmarks import Fiducials, fiducials_of
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap
from efield.head.registration import register_to_mni
from efield.head.spheres import sphere_head
from efield.head.template import load_template

HANDS_MM = np.array([[-37.0, -21.0, 58.0], [37, -21, 58]])


@pytest.fixture(scope="module")
def template():
    return load_template("mni152")


def copy_of_brain(template, function, keep=None):
    """Gray and white matter of the shipped head, moved."""
    chosen = np.isin(template.tissue, (1, 2))
    if keep is not None:
        chosen &= keep(template.barycenters)
    return HeadMesh(points=function(template.points), tets=template.tets[chosen], tissue=template.tissue[chosen])


def affine(points):
    turn = Rotation.from_euler("xyz", (14, -8, 6), degrees=True).as_matrix() * (1.08, 0.93, 1.05)
    return points @ turn.T + (15.0, -30, 22)


def test_an_affine_copy_without_cerebellum_is_found_exactly(template):
    seen = []
    copy = copy_of_brain(template, affine, keep=lambda p: (p[:, 2] > -8) | (p[:, 1] > -25))
    found = register_to_mni(copy, progress=lambda *told: seen.append(told))
    assert [done for done, *_ in seen] == list(range(1, seen[0][1] + 1))
    assert list(dict.fromkeys(note for *_, note in seen)) == ["coarse", "similarity", "affine"]
    assert np.linalg.norm(found.mni.to_head(HANDS_MM) - affine(HANDS_MM), axis=1).max() < 0.5


def test_what_no_affine_can_follow_is_left_and_stated(template):
    def bent(points):
        return affine(points + 3.0 * np.sin(points[:, [1, 2, 0]] / 15.0 + (0.3, 1.1, 2.0)))

    found = register_to_mni(copy_of_brain(template, bent))
    assert isinstance(found.mni, AffineMap)
    assert "affine registration" in found.mni.description
    # The bend is 3.7 mm root mean square; what an affine leaves of it at one place is up to its peak, 5 mm.
    assert np.linalg.norm(found.mni.to_head(HANDS_MM) - bent(HANDS_MM), axis=1).max() < 5.5
    stated = re.search(r"median ([\d.]+) mm, 95th percentile ([\d.]+) mm", found.mni.description)
    middle, far = map(float, stated.groups())
    assert 0.2 < middle < 1.5
    assert middle < far < 5.0


def test_a_turned_brain_is_refused_and_the_turn_is_named(template):
    def turned(points):
        return affine(points * (-1, -1, 1))

    with pytest.raises(InputError, match=r"fits MNI152 better when that is turned by \(0, 0, 180\) degrees"):
        register_to_mni(copy_of_brain(template, turned))


@pytest.mark.thorough
def test_a_brain_that_fits_around_the_motor_areas_only_is_taken_with_a_warning(template, monkeypatch):
    # The brain as it is, with the numbers of a person whose map was right: 6.9 mm at the 95th percentile.
    monkeypatch.setattr(registration, "_registered", lambda *_: np.eye(4))
    fit = registration._Fit((1.3, 6.9), (1.1, 3.0))
    monkeypatch.setattr(registration._Fit, "of", lambda *_: fit)
    head = copy_of_brain(template, lambda points: points)
    with pytest.warns(EfieldWarning, match="95th percentile 6.9 mm; around the motor areas 1.1 and 3.0 mm"):
        assert register_to_mni(head).mni is not None
    for worse in (registration._Fit((1.3, 6.9), (1.1, 6.5)), registration._Fit((1.3, 11.0), (1.1, 3.0))):
        with pytest.raises(InputError, match="must have the shape of a brain"):
            registration._check_doubtful(worse, np.eye(4), (), ())


def test_a_ball_is_no_brain():
    with pytest.raises(InputError, match="must have the shape of a brain"):
        register_to_mni(sphere_head((64.0, 68.0, 85.0), (1, 2, 5), edge_mm=10.0))


def test_without_white_matter_there_is_nothing_to_register():
    with pytest.raises(InputError, match="white and gray matter"):
        register_to_mni(sphere_head((60.0, 70.0), (2, 5), edge_mm=12.0))


def test_fiducials_find_an_affine_copy_within_what_the_tape_follows(template):
    copy = HeadMesh(points=affine(template.points), tets=template.tets, tissue=template.tissue)
    truth = fiducials_of(template)
    moved = Fiducials(*(affine(p) for p in (truth.nasion_mm, truth.inion_mm, truth.left_mm, truth.right_mm)))
    found = register_to_mni(copy, moved)
    # Proportional arcs are not affine: the tape lies elsewhere on a head that is scaled unevenly.
    assert np.linalg.norm(found.mni.to_head(HANDS_MM) - affine(HANDS_MM), axis=1).max() < 3.0
    assert "four fiducials" in found.mni.description
    stated = float(re.search(r"mean square ([\d.]+) mm", found.mni.description)[1])
    assert 0.2 < stated < 2.0


@pytest.mark.thorough
def test_fiducials_put_a_few_millimeters_off_on_a_bent_head_miss_by_millimeters(template):
    def bent(points):
        return affine(points + 3.0 * np.sin(points[:, [1, 2, 0]] / 15.0 + (0.3, 1.1, 2.0)))

    copy = HeadMesh(points=bent(template.points), tets=template.tets, tissue=template.tissue)
    truth = fiducials_of(template)
    points = bent(np.array([truth.nasion_mm, truth.inion_mm, truth.left_mm, truth.right_mm]))
    found = register_to_mni(copy, Fiducials(*(points + np.random.default_rng(2).normal(size=(4, 3)) * 3 / 3**0.5)))
    error = np.linalg.norm(found.mni.to_head(HANDS_MM) - bent(HANDS_MM), axis=1)
    print(f"hand knobs missed by {error[0]:.1f} and {error[1]:.1f} mm; {found.mni.description}")
    # The bend alone is 3.7 mm root mean square, the fiducials are 3 mm off.
    assert error.max() < 9.0
