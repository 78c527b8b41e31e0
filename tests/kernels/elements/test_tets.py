"""Element loops against dense formulas on small meshes."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial import Delaunay

from efield.fem.assembly import nodes_around
from efield.ground import checks
from efield.kernels.elements import tets as kernels
from efield.kernels.geometry import stars


@pytest.fixture(scope="module")
def mesh():
    points = np.random.default_rng(0).uniform(0, 0.1, (60, 3))
    tets = Delaunay(points).simplices.astype(np.int32)
    volume = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]])
    tets[volume < 0] = tets[volume < 0][:, [1, 0, 2, 3]]
    tets = np.ascontiguousarray(tets[np.abs(volume) > 1e-9])
    sigma = np.random.default_rng(1).uniform(0.1, 2, len(tets))
    points, tets, sigma = (checks.plain(array) for array in (points, tets, sigma))
    return points, tets, sigma, *stars.node_stars(tets, len(points))


def gradients(points, tets):
    """(m, 4, 3) gradients of the barycentric coordinates and (m,) volumes, by inverting each tetrahedron."""
    corners = np.concatenate([np.ones((len(tets), 4, 1)), points[tets]], axis=2)
    return np.linalg.inv(corners)[:, 1:].transpose(0, 2, 1), np.linalg.det(corners) / 6


def dense_stiffness(points, tets, sigma):
    slope, volume = gradients(points, tets)
    local = np.einsum("m,mad,mbd->mab", sigma * volume, slope, slope)
    dense = np.zeros((len(points),) * 2)
    np.add.at(dense, (tets[:, :, None], tets[:, None, :]), local)
    return dense


def test_every_node_lists_its_tetrahedra_in_order(mesh):
    _, tets, _, start, around = mesh
    for node in range(len(start) - 1):
        assert np.array_equal(around[start[node] : start[node + 1]], np.flatnonzero((tets == node).any(axis=1)))


def test_stiffness_matches_the_dense_formula_in_sorted_rows(mesh):
    points, tets, sigma, start, around = mesh
    indptr, columns = nodes_around(tets, (start, around))
    for row in range(len(points)):
        assert (np.diff(columns[indptr[row] : indptr[row + 1]]) > 0).all()
    values = kernels.stiffness(points, tets, sigma[:, None, None], start, around, indptr, columns)
    found = csr_matrix((values, columns, indptr)).toarray()
    wanted = dense_stiffness(points, tets, sigma)
    # Rounding, amplified by the flattest of the random tetrahedra.
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())
    np.testing.assert_allclose(found, found.T, atol=1e-12 * np.abs(wanted).max())


def test_load_and_field_match_the_dense_formulas(mesh):
    points, tets, sigma, start, around = mesh
    rng = np.random.default_rng(2)
    dadt, phi = rng.normal(size=(len(points), 3, 2)), rng.normal(size=(len(points), 2))
    slope, volume = gradients(points, tets)
    mean = dadt[tets].mean(axis=1)
    local = -np.einsum("m,mad,mdc->mac", sigma * volume, slope, mean)
    wanted = np.zeros((len(points), 2))
    np.add.at(wanted, tets, local)
    found = kernels.induced_load(points, tets, sigma[:, None, None], start, around, dadt)
    np.testing.assert_allclose(found, wanted, atol=1e-10 * np.abs(wanted).max())
    field = -mean - np.einsum("mad,mac->mdc", slope, phi[tets])
    np.testing.assert_allclose(kernels.element_field(points, tets, phi, dadt), field, atol=1e-9 * np.abs(field).max())


def test_linear_potentials_have_their_gradient(mesh):
    points, tets, *_ = mesh
    slope = np.array([1.0, -2.0, 0.5])
    field = kernels.element_field(points, tets, (points @ slope)[:, None], np.zeros((len(points), 3, 1)))
    np.testing.assert_allclose(field[:, :, 0], np.broadcast_to(-slope, (len(tets), 3)), atol=1e-8)
