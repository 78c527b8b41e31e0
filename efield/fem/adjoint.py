"""One solve that says what every primary field does at a target: the adjoint of the finite-element problem.

A functional of the field, J = sum_t w_t . E_t over tetrahedra t, depends linearly on the primary field at the nodes:

    J = sum_n c_n . dA/dt(x_n),   c_n = sum_{t around n} (V_t sigma_t grad(lambda)_t - w_t) / 4,

where lambda solves the same system as the potential, K lambda = g with g_i = sum_t w_t . grad(N_i)_t; sigma is a number
or a symmetric tensor. Reading c as a current, it is what would flow in the head if w were impressed there: reciprocity.

The recovered field, too, is linear in the potential and the primary field at the nodes: J = a . phi + b . dA/dt. Then
K lambda = -a, and c is b plus the sum over tetrahedra of V_t sigma_t grad(lambda)_t / 4.

References
----------
Heller L, van Hulsteyn DB. Brain stimulation using electromagnetic sources: theoretical aspects. Biophys J
1992;63:129-138, eqs. 1-6 (reciprocity).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.fem.problem import FemProblem
from efield.fem.stencils import Stencils
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.numbering import renumbered
from efield.kernels.elements import adjoint as kernels


def adjoint_weights(
    problem: FemProblem, weights: ArrayLike, tol: float | None = None, *, recovered: bool = False
) -> NDArray[np.float64]:
    """Nodal weights c of linear functionals of the field at the centers of the tetrahedra.

    Parameters
    ----------
    problem : FemProblem
        Of first order.
    weights : (m, 3) or (m, 3, k) array_like
        w: the functionals are sum_t w_t . E_t.
    tol : float, optional
        Relative residual at which the solver stops; that of the problem unless given.
    recovered : bool
        Whether E is the recovered field (`RecoveredField.in_tets`), or that of the elements
        (`FemProblem.element_field`).

    Returns
    -------
    (n, 3) or (n, 3, k) ndarray
        c: the functionals are sum_n c_n . dA/dt(x_n) for dA/dt at the nodes, in the units of w times V/m.

    Raises
    ------
    InputError
        If the problem is of second order, or the weights have another shape.
    SolverError
        If the solver does not reach the tolerance.
    """
    if problem.order != 1:
        raise InputError(f"problem must be of order 1 for an adjoint; instead it has order {problem.order}")
    given = checks.as_float_array("weights", weights)
    if given.ndim not in (2, 3) or given.shape[:2] != (len(problem.head.tets), 3):
        raise InputError(
            f"weights must have shape ({len(problem.head.tets)}, 3) or ({len(problem.head.tets)}, 3, k), one vector "
            f"per tetrahedron; instead received {given.shape}"
        )
    block = checks.plain(given.reshape(len(given), 3, -1))
    limit = problem.tol if tol is None else checks.in_range("tol", tol, 1e-13, 1e-1)
    mesh = (problem.linear.points, problem.linear.tets)
    around = problem.linear.around
    if recovered:
        on_phi, on_dadt = _recovered(problem, block)
        load, block = -on_phi, checks.plain(np.zeros_like(block))
    else:
        load, on_dadt = kernels.gradient_load(*mesh, *around, block), None
    potential = checks.plain(problem.solve_load(load, limit).phi)
    result = kernels.nodal_weights(*mesh, problem.linear.sigma, *around, potential, block)
    if on_dadt is not None:
        result += on_dadt
    return np.asarray(result.reshape(len(mesh[0]), *given.shape[1:]))


def _recovered(problem: FemProblem, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What sums of weights (m, 3, k) . E of the recovered field mean for the potential and the primary field."""
    tets = np.flatnonzero(weights.any(axis=(1, 2)))
    pairs, corners = renumbered(problem.patches.corners(tets))
    at_pairs = np.zeros((len(pairs), *weights.shape[1:]))
    # The field at a center is the mean of those at the corners.
    np.add.at(at_pairs, corners.ravel(), np.repeat(weights[tets] / 4.0, 4, axis=0))
    return Stencils.of(problem.patches, pairs).functional(at_pairs, len(problem.linear.points))
