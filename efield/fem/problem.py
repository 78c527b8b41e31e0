"""`FemProblem`: a head and its conductivity, ready to be solved for any primary field.

Magneto-quasistatics: find phi with div(sigma grad phi) = -div(sigma dA/dt) and no current through the skin;
then E = -dA/dt - grad phi.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.fem.assembly import LinearElements
from efield.fem.recovery import Patches, RecoveredField
from efield.fem.solvers import MultigridCG, Solver
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.units import mm_to_m
from efield.head.mesh import HeadMesh


@dataclass(frozen=True, eq=False)
class PotentialSolution:
    """The potential that a primary field sets up in the head.

    Parameters
    ----------
    phi : (n,) or (n, k) ndarray, V
        Potential at the nodes, zero mean on each connected part; (n, k) when k primary fields were given.
    iterations : int
        Iterations of the solver; 0 for a direct one.
    residual : float
        Largest relative residual |b - K phi| / |b| reached.
    """

    phi: NDArray[np.float64]
    iterations: int
    residual: float


class FemProblem:
    """The finite-element problem of one head.

    Everything that does not depend on the primary field is computed once, here.

    Parameters
    ----------
    head : HeadMesh
        The mesh; millimeters become meters here.
    sigma : (m,) array_like, S/m
        Conductivity of each tetrahedron, above zero.
    tol : float
        Relative residual at which the solver stops.
    solver : {"auto", "multigrid"}
        How the linear system is solved.

    Raises
    ------
    InputError
        If sigma is not one finite positive number per tetrahedron.
    """

    def __init__(self, head: HeadMesh, sigma: ArrayLike, *, tol: float = 1e-8, solver: str = "auto") -> None:
        self.head = head
        self.sigma = checks.read_only(_check_sigma(sigma, len(head.tets)))
        self.tol = checks.in_range("tol", tol, 1e-13, 1e-1)
        checks.choice("solver", solver, ("auto", "multigrid"))
        self._elements = LinearElements(mm_to_m(head.points), np.ascontiguousarray(head.tets), self.sigma)
        self._solver: Solver = MultigridCG(self._elements.stiffness())

    def solve(self, dadt_nodes: ArrayLike) -> PotentialSolution:
        """Potential for one or several primary fields.

        Parameters
        ----------
        dadt_nodes : (n, 3) or (n, 3, k) array_like, V/m
            Time derivative of the vector potential at the nodes.

        Returns
        -------
        PotentialSolution

        Raises
        ------
        InputError
            If dadt_nodes has another shape or is not finite.
        SolverError
            If the solver does not reach the tolerance.
        """
        dadt = self._as_block(dadt_nodes)
        solution = self._solver.solve(self._elements.load(dadt), self.tol)
        phi = solution.phi[:, 0] if np.ndim(dadt_nodes) == 2 else solution.phi
        return PotentialSolution(checks.read_only(phi), solution.iterations, solution.residual)

    def element_field(self, phi: ArrayLike, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        """E in each tetrahedron: minus the mean of dA/dt over its corners, minus the gradient of the potential.

        Parameters
        ----------
        phi : (n,) or (n, k) array_like, V
            Potential at the nodes.
        dadt_nodes : (n, 3) or (n, 3, k) array_like, V/m
            The primary field that `phi` belongs to.

        Returns
        -------
        (m, 3) or (m, 3, k) ndarray, V/m
        """
        dadt = self._as_block(dadt_nodes)
        field = self._elements.field(self._as_potential(phi, dadt_nodes), dadt)
        return field if np.ndim(dadt_nodes) == 3 else field[:, :, 0]

    @cached_property
    def patches(self) -> Patches:
        """The (node, tissue) pairs over which fields are recovered."""
        return Patches(self.head, self._elements)

    def recovered_field(self, phi: ArrayLike, dadt_nodes: ArrayLike) -> RecoveredField:
        """A smooth field within each tissue, more accurate than the field per element.

        Parameters
        ----------
        phi : (n,) array_like, V
            Potential at the nodes.
        dadt_nodes : (n, 3) array_like, V/m
            The primary field that `phi` belongs to.

        Returns
        -------
        RecoveredField
        """
        dadt = self._as_block(dadt_nodes)
        if dadt.shape[2] != 1:
            raise InputError(f"dadt_nodes must be one field, shape (n, 3); instead received {np.shape(dadt_nodes)}")
        potential = self._as_potential(phi, dadt_nodes)
        return self.patches.recover(potential[:, 0], dadt[:, :, 0])

    def _as_block(self, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        dadt = checks.as_float_array("dadt_nodes", dadt_nodes)
        n = len(self.head.points)
        if dadt.ndim not in (2, 3) or dadt.shape[:2] != (n, 3):
            raise InputError(
                f"dadt_nodes must have shape ({n}, 3) or ({n}, 3, k), one vector per node; "
                f"instead received {dadt.shape}"
            )
        return dadt.reshape(n, 3, -1)

    def _as_potential(self, phi: ArrayLike, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        potential = checks.as_float_array("phi", phi)
        wanted = (len(self.head.points), *np.shape(dadt_nodes)[2:])
        if potential.shape != wanted:
            raise InputError(f"phi must have shape {wanted}, as dadt_nodes; instead received {potential.shape}")
        return potential.reshape(len(potential), -1)


def _check_sigma(sigma: ArrayLike, n_tets: int) -> NDArray[np.float64]:
    values = checks.as_float_array("sigma", sigma)
    if values.shape != (n_tets,):
        raise InputError(
            f"sigma must have one conductivity per tetrahedron, shape ({n_tets},); instead received {values.shape}"
        )
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise InputError(
            f"sigma must be > 0 S/m everywhere; instead {len(bad)} tetrahedra have none (first: {bad[0]}): "
            "give their tissue a conductivity, or leave air out of the mesh"
        )
    return values
