"""The bound of the smoother's spectrum: above the largest eigenvalue, and not far, on every level and either order."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import eigsh

from efield.fem.problem import FemProblem
from efield.fem.spectrum import top_of_spectrum
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


def largest(matrix: csr_matrix, inverse: np.ndarray) -> float:
    root = diags(np.sqrt(inverse))
    return float(eigsh(root @ matrix @ root, 1, which="LA", return_eigenvectors=False, tol=1e-8, ncv=60)[0])


def slivers() -> HeadMesh:
    """Tetrahedra of a sphere squeezed to a tenth of their height."""
    head = sphere_head(edge_mm=18.0)
    return HeadMesh(points=head.points * [1, 1, 0.1], tets=head.tets, tissue=head.tissue)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("head", [sphere_head(edge_mm=18.0), slivers()], ids=["sphere", "slivers"])
def test_the_bound_is_above_every_eigenvalue_on_every_level_and_close(head, order):
    problem = FemProblem(head, Conductivity().per_tet(head), order=order, solver="multigrid")
    grids = problem._solver.preconditioner.grids
    systems = list(zip(grids.matrices, grids.tops, strict=False))
    if order == 2:
        finest = problem._quadratic.stiffness()
        systems.append((finest, top_of_spectrum(finest, 1 / finest.diagonal())))
    for matrix, bound in systems:
        true = largest(matrix, 1 / matrix.diagonal())
        assert true <= bound <= 1.1 * true


def test_few_unknowns_are_bounded_exactly():
    chain = csr_matrix(diags([np.full(4, -1.0), [1.0, 2, 2, 2, 1], np.full(4, -1.0)], [-1, 0, 1]))
    assert top_of_spectrum(chain, 1 / chain.diagonal()) == pytest.approx(2.0)
    assert top_of_spectrum(chain, np.zeros(5)) == 0.0


def test_a_matrix_and_others_that_share_its_indices_stay_as_they_are():
    rows, columns = [0, 2, 4], np.array([1, 0, 1, 0], dtype=np.int32)
    matrix = csr_matrix((np.array([-1.0, 2, 2, -1]), columns, rows), shape=(2, 2))
    top_of_spectrum(matrix, np.full(2, 0.5))
    assert columns.tolist() == matrix.indices.tolist() == [1, 0, 1, 0]
