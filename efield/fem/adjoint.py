"""One solve that says what every primary field does at a target: the adjoint of the finite-element problem.

A functional of the field, J = sum_t w_t . E_t over tetrahedra t, depends linearly on the primary field at the nodes:

    J = sum_n c_n . dA/dt(x_n),   c_n = sum_{t around n} (V_t sigma_t grad(lambda)_t - w_t) / 4,

where lambda solves the same system as the potential, K lambda = g with g_i = sum_t w_t . grad(N_i)_t; sigma is a number
or a symmetric tensor. Reading c as a current, it is what would flow in the head if w were impressed there: reciprocity.

References
----------
Heller L, van Hulsteyn DB. Brain stimulation using electromagnetic sources: theoretical aspects. Biophys J
1992;63:129-138, eqs. 1-6 (reciprocity).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.fem.problem import FemProblem
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.units import mm_to_m
from efield.kernels.elements import adjoint as kernels


def adjoint_weights(problem: FemProblem, weights: ArrayLike, tol: float | None = None) -> NDArray[np.float64]:
    """Nodal weights c of linear functionals of the element field.

    Parameters
    ----------
    problem : FemProblem
        Of first order.
    weights : (m, 3) or (m, 3, k) array_like
        w: the functionals are sum_t w_t . E_t with E as `FemProblem.element_field` gives it.
    tol : float, optional
        Relative residual at which the solver stops; that of the problem unless given.

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
    block = given.reshape(len(given), 3, -1)
    limit = problem.tol if tol is None else checks.in_range("tol", tol, 1e-13, 1e-1)
    points, tets = mm_to_m(problem.head.points), np.ascontiguousarray(problem.head.tets)
    around = problem.linear.around
    load = kernels.gradient_load(points, tets, *around, np.ascontiguousarray(block))
    potential = np.ascontiguousarray(problem.solve_load(load, limit).phi)
    result = kernels.nodal_weights(points, tets, problem.sigma, *around, potential, np.ascontiguousarray(block))
    return np.asarray(result.reshape(len(points), *given.shape[1:]))
