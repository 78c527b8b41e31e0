"""Against the closed form: the errors under the coil and the rates at which they fall with the mesh size."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def errors(solve_sphere, coil):
    return {edge: solve_sphere(edge).errors(coil) for edge in (9.0, 4.5)}


def slope(coarse, fine):
    return np.log2(coarse / fine)


def test_element_field_converges_at_first_order(errors):
    assert slope(errors[9.0][0], errors[4.5][0]) == pytest.approx(1.0, abs=0.2)


def test_recovered_field_gains_an_order(errors):
    assert slope(errors[9.0][1], errors[4.5][1]) >= 1.7


def test_recovered_field_is_within_a_quarter_percent_where_elements_are_off_by_two(errors):
    raw, recovered = errors[4.5]
    assert 0.015 < raw < 0.03
    assert recovered < 0.0025


def test_iterations_do_not_grow_with_the_mesh(solve_sphere, errors):
    coarse, fine = (solve_sphere(edge).iterations for edge in (9.0, 4.5))
    # Eight times the unknowns; aggregates differ from mesh to mesh, and with them a step or two.
    assert fine <= coarse + 2
    assert fine < 20
