"""What is no usual head is said when it is loaded; what is in other units is refused."""

import re
import warnings

import numpy as np
import pytest

from efield.ground.errors import EfieldWarning, FileFormatError
from efield.head.mesh import HeadMesh
from efield.head.remarks import remarks
from efield.head.spheres import sphere_head
from efield.io.load import load_head
from efield.io.meshes.gmsh import write_head, write_mesh
from efield.io.meshes.meshdata import MeshData

RADII = (50.0, 60.0, 65.0, 72.0, 80.0)


@pytest.fixture(scope="module")
def head():
    return sphere_head(RADII, (1, 2, 3, 4, 5), edge_mm=14.0)


def only(head, chosen, scale=1.0):
    used, corners = np.unique(head.tets[chosen], return_inverse=True)
    return HeadMesh(
        points=scale * head.points[used], tets=corners.reshape(-1, 4).astype(np.int32), tissue=head.tissue[chosen]
    )


def loaded(path, head):
    write_head(path, head)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_head(path)
    assert all(item.category is EfieldWarning for item in caught)
    return [str(item.message) for item in caught]


def test_a_usual_head_is_loaded_without_a_word(head, tmp_path):
    assert loaded(tmp_path / "a.msh", head) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: only(h, np.linalg.norm(h.barycenters - [0, 0, 60], axis=1) < 25), "wide, a piece of a head"),
        (lambda h: only(h, h.barycenters[:, 0] > 0), "of the head's outer surface is brain"),
        (lambda h: only(h, h.barycenters[:, 0] < 1e9, scale=4.0), "639 mm long, more than a head"),
        (lambda h: only(h, h.tissue <= 4), r"outer surface.*is bone \(100% of it\): there is no scalp"),
        (lambda h: only(h, h.tissue <= 3), "outer surface.*is CSF"),
    ],
    ids=["patch", "half", "torso", "no scalp", "no skull"],
)
def test_what_is_no_whole_head_is_said(head, tmp_path, change, words):
    found = loaded(tmp_path / "a.msh", change(head))
    assert any(re.search(words, text) for text in found), found


def test_a_head_without_skull_and_tissues_of_ones_own(head):
    def tagged(tags):
        return HeadMesh(points=head.points, tets=head.tets, tissue=np.array((0, *tags))[head.tissue])

    assert remarks(tagged((1, 2, 3, 3, 5))) == ("the head has no skull (tag 4, 7, 8)",)
    assert remarks(tagged((1, 2, 3, 601, 5))) == remarks(tagged((1, 2, 3, 4, 601))) == ()


@pytest.mark.parametrize(
    ("factor", "unit", "times"), [(1e-2, "meters", 1000), (0.1, "centimeters", 10), (0.2, "centimeters", 10)]
)
def test_heads_in_other_units_are_refused_with_the_factor(head, tmp_path, factor, unit, times):
    """A body of 1.6 m in meters, a head of 16 cm and one of 32 cm in centimeters."""
    write_mesh(tmp_path / "a.msh", MeshData(points=factor * head.points, tets=head.tets, tissue=head.tissue))
    with pytest.raises(FileFormatError, match=rf"looks like {unit}: multiply the coordinates by {times}\b"):
        load_head(tmp_path / "a.msh")
