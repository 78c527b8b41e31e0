"""Conductivities by tag or name: the table with what replaces it, and nothing unknown or twice."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=14.0)


def test_a_tissue_is_replaced_by_name_as_by_tag(head):
    by_name = Conductivity().with_values({"Gray-Matter": 0.3, "bone": 0.02})
    assert by_name.values == Conductivity().with_values({2: 0.3, 4: 0.02}).values
    assert np.unique(by_name.per_tet(head)[head.tissue == 4]) == [0.02]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"bonne": 0.01}, "did you mean 'bone'"),
        ({"bone": 0.01, 4: 0.02}, "each tissue once"),
        ({"bone": 0.0}, "> 0"),
        ({"bone": float("nan")}, "finite"),
        ({"gray-matter": 275}, "looks like mS/m: divide by 1000"),
    ],
)
def test_wrong_overrides_are_answered(overrides, message):
    with pytest.raises(InputError, match=message):
        Conductivity().with_values(overrides)


def test_a_table_is_given_by_name_as_by_tag():
    assert Conductivity({"bone": 0.02, "GM": 0.3}).values == {4: 0.02, 2: 0.3}
    for wrong, message in ((None, "must map"), ({"bone": 0.01, "skull": 0.02}, "each tissue once")):
        with pytest.raises(InputError, match=message):
            Conductivity(wrong)


def test_an_electrode_may_conduct_better_than_tissue():
    assert Conductivity().with_values({"rubber": 50}).values[100] == 50


def test_a_tag_of_ones_own_needs_a_value_and_the_error_says_how_to_give_it(head):
    own = HeadMesh(points=head.points, tets=head.tets, tissue=np.where(head.tissue == 3, 501, head.tissue))
    with pytest.raises(InputError, match="--conductivity 501=S/m"):
        Conductivity().per_tet(own)
    assert np.unique(Conductivity().with_values({501: 0.3}).per_tet(own)[own.tissue == 501]) == [0.3]
