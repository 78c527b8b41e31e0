"""`FemProblem`: a head and its conductivity, ready to be solved for any primary field.

Magneto-quasistatics: find phi with div(sigma grad phi) = -div(sigma dA/dt) and no current through the skin;
then E = -dA/dt - grad phi.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from efield.fem.answers import Answer, Places
from efield.fem.assembly import LinearElements, checked_sigma
from efield.fem.enrichment import AveragedField, Bubbles, EnrichedField, SecondOpinion
from efield.fem.gpu.choice import on_gpu
from efield.fem.gpu.device import is_cuda
from efield.fem.quadratic import QuadraticElements
from efield.fem.recovery import Patches, RecoveredField
from efield.fem.solvers import SOLVERS, MultigridCG, is_direct, make_solver
from efield.fem.system import Solution, Solver
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.turns import in_turn
from efield.ground.units import m_to_mm, mm_to_m
from efield.head.mesh import HeadMesh

if TYPE_CHECKING:
    from efield.fem.gpu.elements import Fill, Take

T = TypeVar("T")

#: Residuals that can be asked for.
TOL_RANGE: Final = (1e-12, 1e-1)

#: Right-hand sides that the CPU solves together: one pass over the matrix serves them all.
_TOGETHER: Final = 8

#: Relative residual of the potential that answers to bubbles, a correction of some percent: a thousandth estimates
#: errors no better (docs/accuracy.md).
_ENRICHED_TOL: Final = 0.1


class FemProblem:
    """The finite-element problem of one head.

    Everything that does not depend on the primary field is computed once, here.

    Parameters
    ----------
    head : HeadMesh
        The mesh; millimeters become meters here.
    sigma : (m,) or (m, 3, 3) array_like, S/m
        Conductivity of each tetrahedron, above zero: a number, or a symmetric positive definite tensor in the
        head's axes.
    tol : float
        Relative residual at which the solver stops.
    solver : {"auto", "multigrid", "direct"}
        How the linear system is solved. "direct" needs the extra ``mkl``; "auto" takes it for small
        systems when it is installed and its factor fits the memory, else multigrid.
    order : {1, 2}
        Polynomial order of the potential. 2 has about seven times the unknowns and wants dA/dt at `nodes_mm`.
    device : {"auto", "cpu", "cuda"}
        Where it is solved. "cuda" is an NVIDIA GPU, which needs the extra ``gpu``; "auto" takes one where there is one
        that holds the head. A GPU means multigrid.
    prepared : mapping of str to ndarray, optional
        `prepared()` of the same problem: its solver is then ready at once, and gives the same bits. Not used by direct
        solvers and of order 2.

    Raises
    ------
    InputError
        If sigma is not one finite positive number or tensor per tetrahedron, an option is unknown, or `prepared`
        belongs to no problem of this size.
    MissingDependencyError
        If the direct solver is asked for and not installed.
    SolverError
        If the device is "cuda" and its memory does not hold the head.

    Warns
    -----
    EfieldWarning
        If the device is "cuda" and there is no GPU, or only a CPU can solve it: the CPU does.
    """

    @in_turn
    def __init__(
        self,
        head: HeadMesh,
        sigma: ArrayLike,
        *,
        tol: float = 1e-8,
        solver: str = "auto",
        order: int = 1,
        device: str = "auto",
        prepared: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.head = head
        self.sigma = checks.read_only(checked_sigma(sigma, len(head.tets)))
        self.tol = checks.in_range("tol", tol, *TOL_RANGE)
        if order not in (1, 2):
            raise InputError(f"order must be 1 or 2; instead received {order!r}")
        self.order = order
        self.linear = LinearElements(mm_to_m(head.points), np.ascontiguousarray(head.tets), self.sigma)
        self._quadratic = QuadraticElements(self.linear) if order == 2 else None
        kind = checks.choice("solver", solver, SOLVERS)
        # A direct solver runs on the CPU; small heads, too, are solved sooner in blocks on a GPU.
        wanted = kind != "direct" and is_cuda(device)
        kind = "multigrid" if wanted else kind
        if prepared is None or order == 2 or is_direct(kind, len(head.points)):
            self._host = self._make_solver(kind)
        else:
            self._host = MultigridCG.from_arrays(prepared, head.points)
        self._solver, self._resident = self._host, None
        if wanted:
            self._solver, self._resident = on_gpu(self._host, self.linear, order, asked=device == "cuda")

    def __getstate__(self) -> dict[str, Any]:
        # What is on a GPU cannot come along: a copy solves on the CPU.
        return self.__dict__ | {"_solver": self._host, "_resident": None}

    @property
    def device(self) -> str:
        """Where it is solved: "cpu", or "cuda"."""
        return "cpu" if self._solver is self._host else "cuda"

    @property
    def is_resident(self) -> bool:
        """Whether everything from primary fields to fields in tetrahedra is computed on a GPU."""
        return self._resident is not None

    @property
    def together(self) -> int:
        """How many primary fields are worth giving at a time."""
        return _TOGETHER if self._resident is None else self._resident.widest

    def prepared(self) -> dict[str, NDArray[Any]] | None:
        """What took long to find, by name, for the next problem of this head and sigma.

        None if there is nothing to keep: of a direct solver, whose factors stay in its library, and of order 2.
        """
        if isinstance(self._host, MultigridCG) and self.order == 1:
            return self._host.to_arrays()
        return None

    def _make_solver(self, kind: str) -> Solver:
        stiffness = self.linear.stiffness()
        if self._quadratic is None:
            return make_solver(kind, stiffness, self.head.points)
        return make_solver(
            kind, self._quadratic.stiffness(), self.head.points, (stiffness, self._quadratic.from_linear())
        )

    def solver_of(self, matrix: csr_matrix) -> Solver:
        """The solver of another stiffness matrix (N, N), with what this problem's solver has prepared."""
        return self._solver.of_matrix(matrix)

    @cached_property
    def nodes_mm(self) -> NDArray[np.float64]:
        """(N, 3) places in mm where dA/dt is wanted: the nodes, and with order 2 then the middles of the edges."""
        if self._quadratic is None:
            return self.head.points
        return checks.read_only(m_to_mm(self._quadratic.places))

    @property
    def _elements(self) -> LinearElements | QuadraticElements:
        return self._quadratic or self.linear

    def solve_load(self, load: NDArray[np.float64], tol: float | None = None) -> Solution:
        """Potentials (n, k) for right-hand sides (n, k) of the problem's order, which nothing has checked.

        Raises
        ------
        SolverError
            If the solver does not reach `tol`, which is the problem's unless given.
        """
        return self._solver.solve(load, self.tol if tol is None else tol)

    @in_turn
    def solve(self, dadt_nodes: ArrayLike, tol: float | None = None) -> Solution:
        """Potential for one or several primary fields.

        Parameters
        ----------
        dadt_nodes : (n, 3) or (n, 3, k) array_like, V/m
            Time derivative of the vector potential at `nodes_mm`.
        tol : float, optional
            Relative residual; the problem's unless given.

        Returns
        -------
        Solution

        Raises
        ------
        InputError
            If dadt_nodes has another shape or is not finite.
        SolverError
            If the solver does not reach the tolerance.
        """
        dadt = self._as_block(dadt_nodes)
        if self._resident is None:
            solution = self.solve_load(self._elements.load(dadt), tol)
        else:
            solution = self._resident.potentials(dadt, self.tol if tol is None else tol)
        phi = solution.phi[:, 0] if np.ndim(dadt_nodes) == 2 else solution.phi
        return replace(solution, phi=checks.read_only(phi))

    def answers(self, dadt_nodes: "NDArray[np.float64] | Fill", count: int) -> Iterator[Answer]:
        """Potential, primary field and field of several placements, in their order.

        Parameters
        ----------
        dadt_nodes : (n, 3, count) ndarray in V/m, or callable
            At `nodes_mm`; a callable writes it to the GPU (`efield.fem.gpu.elements`), where there is one.
        count : int
            Placements.

        Raises
        ------
        SolverError
            If the solver does not reach the tolerance.
        """
        if self._resident is not None:
            yield from self._resident.answers(count, dadt_nodes, self.tol)
            return
        given = _in_memory(dadt_nodes)
        solution = self.solve(given)
        for k in range(count):
            phi, dadt = (np.ascontiguousarray(array[..., k]) for array in (solution.phi, given))
            yield Answer(phi, dadt, self.element_field(phi, dadt), solution.iterations)

    def fields_at(
        self,
        dadt_nodes: "NDArray[np.float64] | Fill",
        count: int,
        places: Places,
        take: "Take[T]",
        tol: float | None = None,
    ) -> Iterator[T]:
        """E at chosen places for several placements: what `take` makes of some of them after the other.

        Only what it makes leaves the GPU, where there is one.

        Parameters
        ----------
        dadt_nodes, count
            As `answers` takes them.
        places : Places
        take : callable
            Takes E (b, q, 3) at the pairs and (b, k, 3) in the tetrahedra, in V/m: arrays on the GPU if the problem
            `is_resident`, else in memory.
        tol : float, optional
            Relative residual; the problem's unless given.

        Raises
        ------
        SolverError
            If the solver does not reach the tolerance.
        """
        if self._resident is not None:
            limit = self.tol if tol is None else tol
            yield from self._resident.fields_at(places, self.patches, count, dadt_nodes, limit, take)
            return
        given = _in_memory(dadt_nodes)
        at_pairs, in_tets = self.field_at(self.solve(given, tol).phi, given, places)
        yield take(*(np.ascontiguousarray(np.moveaxis(e, 2, 0)) for e in (at_pairs, in_tets)))

    def element_field(self, phi: ArrayLike, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        """E in each tetrahedron: minus dA/dt, minus the gradient of the potential, at its center.

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
        return Patches(self.head, self.linear)

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
        if self._quadratic is None:
            return self.patches.recovered(potential[:, 0], dadt[:, :, 0])
        centers = self._quadratic.field(potential, dadt)[:, :, 0]
        return self.patches.average(self._quadratic.corner_fields(potential[:, 0], dadt[:, :, 0]), centers)

    def second_opinion(self, phi: NDArray[np.float64], dadt_nodes: NDArray[np.float64]) -> SecondOpinion:
        """Another field of a solution, to estimate errors with: what quadratic potentials would make of first order.

        Of second order it is the average over patches, which differs from the elements' field by about its error.

        Parameters
        ----------
        phi : (n,) ndarray, V
            Potential at the nodes.
        dadt_nodes : (n, 3) ndarray, V/m
            The primary field that `phi` belongs to.

        Raises
        ------
        SolverError
            If the solver does not reach the tolerance, which is a tenth here.
        """
        if self.order == 2:
            return AveragedField(self.recovered_field(phi, dadt_nodes))
        bubbles = Bubbles(self.linear, phi, dadt_nodes)
        heights = bubbles.heights()
        answer = self.solve_load(bubbles.load(heights), _ENRICHED_TOL)
        return EnrichedField(self.linear, phi + answer.phi[:, 0], dadt_nodes, heights)

    def rows_at(
        self, dadt_nodes: "NDArray[np.float64] | Fill", count: int, places: Places, tol: float | None = None
    ) -> NDArray[np.float64]:
        """(count, q + k, 3) E in V/m at the pairs and then in the tetrahedra of places, in memory; as `fields_at`."""

        def rows(*e: Any) -> NDArray[np.float64]:
            return np.concatenate([*map(_fetched, e)], axis=1)

        return np.concatenate(list(self.fields_at(dadt_nodes, count, places, rows, tol)))

    @in_turn
    def field_at(
        self, phi: NDArray[np.float64], dadt_nodes: NDArray[np.float64], places: Places
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """E (q, 3, b) at the pairs and (k, 3, b) in the tetrahedra of places in V/m, for phi (n, b), dadt (n, 3, b)."""
        at_pairs = in_tets = np.empty((0, *dadt_nodes.shape[1:]))
        if len(places.pairs) and self._quadratic is None:
            at_pairs = self.patches.recover(phi, dadt_nodes, places.pairs)
        elif len(places.pairs):
            alone = (self.recovered_field(phi[:, k], dadt_nodes[..., k]) for k in range(phi.shape[1]))
            at_pairs = np.stack([one.field[places.pairs] for one in alone], axis=2)
        if len(places.tets):
            in_tets = self._elements.field(phi, dadt_nodes, places.tets)
        return at_pairs, in_tets

    def _as_block(self, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        dadt = checks.as_float_array("dadt_nodes", dadt_nodes)
        n = len(self.nodes_mm)
        if dadt.ndim not in (2, 3) or dadt.shape[:2] != (n, 3):
            raise InputError(
                f"dadt_nodes must have shape ({n}, 3) or ({n}, 3, k), one vector per row of nodes_mm; "
                f"instead received {dadt.shape}"
            )
        return dadt.reshape(n, 3, -1)

    def _as_potential(self, phi: ArrayLike, dadt_nodes: ArrayLike) -> NDArray[np.float64]:
        potential = checks.as_float_array("phi", phi)
        wanted = (len(self.nodes_mm), *np.shape(dadt_nodes)[2:])
        if potential.shape != wanted:
            raise InputError(f"phi must have shape {wanted}, as dadt_nodes; instead received {potential.shape}")
        return potential.reshape(len(potential), -1)


def _in_memory(dadt_nodes: "NDArray[np.float64] | Fill") -> NDArray[np.float64]:
    if callable(dadt_nodes):
        raise InputError("dadt_nodes must be an array, because the CPU computes; instead received a function")
    return dadt_nodes


def _fetched(array: Any) -> NDArray[np.float64]:
    """What may lie on a GPU, in memory."""
    return np.asarray(array if isinstance(array, np.ndarray) else array.copy_to_host())
