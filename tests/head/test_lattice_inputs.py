"""What the label mesher refuses, and what it says then."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.lattice import Refinement, mesh_labels


@pytest.fixture
def cube():
    labels = np.zeros((40, 40, 40), dtype=np.uint8)
    labels[4:36, 4:36, 4:36] = 2
    labels[12:28, 12:28, 12:28] = 1
    return labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((20, 20, 20), dtype=int), "at least one tissue"),
        (np.zeros((0, 20, 20), dtype=int), "at least one tissue"),
        (np.ones((20, 20), dtype=int), r"shape \(nx, ny, nz\)"),
        (np.ones((20, 20, 20, 1), dtype=int), r"shape \(nx, ny, nz\)"),
        (np.full((20, 20, 20), 1.5), "integers.*round"),
        (np.full((20, 20, 20), -1), "0 to 65535"),
        (np.full((20, 20, 20), 70000), "0 to 65535"),
        (np.arange(40**3).reshape(40, 40, 40) % 40, "at most 31"),
    ],
)
def test_unusable_labels_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        mesh_labels(labels, np.eye(4))


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), r"shape \(4, 4\)"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
        (np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "singular"),
        (np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "sheared.*resample"),
        (np.full((4, 4), np.nan), "finite"),
    ],
)
def test_unusable_affines_are_refused(cube, affine, message):
    with pytest.raises(InputError, match=message):
        mesh_labels(cube, affine)


@pytest.mark.parametrize(
    ("nesting", "message"),
    [((), "must name labels"), ((1, 2, 3), r"no voxel has \[3\]"), ((1, 2, 2), "each once")],
)
def test_a_nesting_that_does_not_fit_the_labels_is_refused(cube, nesting, message):
    with pytest.raises(InputError, match=message):
        mesh_labels(cube, np.eye(4), nesting=nesting)


def test_an_edge_for_a_missing_label_is_refused(cube):
    with pytest.raises(InputError, match=r"edge_mm must name labels.*\[7\]"):
        mesh_labels(cube, np.eye(4), edge_mm={1: 3.0, 7: 3.0})


@pytest.mark.parametrize("edge", [0.0, -1.0, np.nan, "fine"])
def test_an_edge_that_is_no_length_is_refused(cube, edge):
    with pytest.raises(InputError, match="edge_mm of tag 1"):
        mesh_labels(cube, np.eye(4), edge_mm={1: edge})


@pytest.mark.parametrize("scale", [0.0, -2.0, np.inf])
def test_a_scale_that_is_no_factor_is_refused(cube, scale):
    with pytest.raises(InputError, match="scale"):
        mesh_labels(cube, np.eye(4), scale=scale)


def test_a_refinement_outside_the_volume_is_refused(cube):
    with pytest.raises(InputError, match="misses it"):
        mesh_labels(cube, np.eye(4), refine=[Refinement([500.0, 0.0, 0.0], 5.0, 0.5)])


@pytest.mark.parametrize(
    ("center", "radius", "factor", "message"),
    [
        ([0, 0], 5.0, 0.5, "center_mm"),
        ([0, 0, 0], 0.0, 0.5, "radius_mm"),
        ([0, 0, 0], 5.0, 0.0, "factor"),
        ([0, 0, 0], 5.0, 1.5, "factor"),
    ],
)
def test_unusable_refinements_are_refused(center, radius, factor, message):
    with pytest.raises(InputError, match=message):
        Refinement(center, radius, factor)


def test_labels_smaller_than_the_edges_are_refused_not_returned_empty():
    labels = np.zeros((60, 60, 60), dtype=np.uint8)
    labels[30, 30, 30] = 1
    with pytest.raises(InputError, match="must"):
        mesh_labels(labels, np.eye(4))


@pytest.mark.parametrize(
    ("millimeters", "units"),
    [(0.001, "looks like meters"), (0.1, "looks like centimeters"), (1000.0, "looks like micrometers")],
)
def test_labels_in_other_units_are_refused_before_memory_is_asked_for(cube, millimeters, units):
    with pytest.raises(InputError, match=units):
        mesh_labels(cube, np.diag([millimeters, millimeters, millimeters, 1.0]))


def test_edges_that_would_fill_the_memory_are_refused(cube):
    with pytest.raises(InputError, match=r"million tetrahedra.*larger scale"):
        mesh_labels(cube, np.eye(4), scale=0.02)
