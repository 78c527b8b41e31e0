"""What PyVista gets is the same geometry, with the field on it."""

import numpy as np
import pytest

from efield.coils.casing import Casing
from efield.coils.catalog import load_named
from efield.coils.model import Coil
from efield.ground.pose import Pose

POSE = Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1))


def test_a_head_is_a_grid_of_the_same_tetrahedra(head):
    grid = head.to_pyvista()
    volumes = grid.compute_cell_sizes(length=False, area=False).cell_data["Volume"]
    assert np.allclose(volumes, head.volumes, rtol=1e-5)
    assert np.array_equal(grid.cell_data["tissue"], head.tissue)
    grid.points[0] = 0  # its own copy


def test_a_field_is_on_the_tetrahedra_it_belongs_to(sim, coil):
    field = sim.solve(coil, POSE)
    grid = field.to_pyvista()
    assert np.array_equal(grid.cell_data["E"], field.e)
    cell = grid.find_containing_cell((0, 0, 60))
    inside = np.linalg.norm(field.head.barycenters[cell] - (0, 0, 60))
    assert inside < 15
    assert grid.cell_data["magnE"][cell] == pytest.approx(np.linalg.norm(field.e[cell]))


def test_a_coil_is_its_windings_and_its_casing_where_it_is_held():
    coil = load_named("d70").with_casing(Casing(np.eye(3) * 50, np.array([[0, 1, 2]])))
    shape = coil.to_pyvista(POSE)
    assert shape.n_cells == len(coil.windings) + 1
    assert shape.cell_data["part"].tolist() == [0] * len(coil.windings) + [1]
    wire = np.concatenate(coil.windings)
    assert np.allclose(shape.points[: len(wire)], POSE.to_head(wire), atol=1e-4)
    assert np.allclose(shape.points[len(wire) :], POSE.to_head(np.eye(3) * 50), atol=1e-4)
    assert shape.faces.tolist() == [3, len(wire), len(wire) + 1, len(wire) + 2]


def test_a_coil_of_dipoles_is_its_points():
    coil = Coil.from_dipoles([[0, 0, -10], [5, 0, -10]], [[0, 0, 1], [0, 0, 1]])
    assert np.allclose(coil.to_pyvista().points, [[0, 0, -10], [5, 0, -10]])
