"""From the primary field to the field in every tetrahedron without leaving the GPU: first-order elements."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from efield.fem.answers import Answer, Places
from efield.fem.assembly import LinearElements
from efield.fem.gpu.device import FIELDS_AT_A_TIME, bytes_of_places, free_memory
from efield.fem.gpu.places import DevicePlaces
from efield.fem.gpu.solver import DeviceCG
from efield.fem.gpu.steps import DeviceArray, room, to_device
from efield.fem.recovery import Patches
from efield.fem.stencils import Stencils
from efield.fem.system import Solution
from efield.ground.errors import InputError
from efield.ground.turns import in_turn
from efield.kernels.cuda import elements as kernels
from efield.kernels.cuda import launch

FloatArray = NDArray[np.float64]
T = TypeVar("T")
Fill = Callable[[slice, DeviceArray, DeviceArray], FloatArray | None]
#: Takes E at the pairs (b, q, 3) and in the tetrahedra (b, k, 3) of some places, arrays where it is computed.
Take = Callable[[DeviceArray, DeviceArray], T]


@dataclass(frozen=True, eq=False)
class _Block:
    """Potentials (n, width) and primary fields (n, 3, width) of some columns, in the solver's order."""

    phi: DeviceArray
    dadt: DeviceArray
    columns: int
    iterations: int
    residual: float


class DeviceElements:
    """The mesh of a solver on the device, its nodes in the solver's order.

    Parameters
    ----------
    linear : LinearElements
        The mesh and its conductivity.
    solver : DeviceCG
        Of its stiffness matrix.
    """

    def __init__(self, linear: LinearElements, solver: DeviceCG) -> None:
        self._place = place = np.empty(solver.size, np.uint32)
        place[solver.order] = np.arange(solver.size, dtype=np.uint32)
        self._solver = solver
        self._looked_at: DevicePlaces | None = None
        self.points = to_device(linear.points[solver.order])
        self._tets = to_device(place[linear.tets])
        self._all = to_device(np.arange(len(linear.tets), dtype=np.uint32))
        self._weights = to_device(np.zeros((len(solver.host.csr[1]), 3)))
        sigma = to_device(linear.sigma)
        start, around = (to_device(array) for array in _stars(linear, solver.order))
        rows = solver.csr[:2]
        lacking = to_device(np.zeros(1, np.int32))
        kernels.load_weights[launch.by_item(solver.size)](
            self.points, self._tets, sigma, start, around, *rows, self._weights, lacking
        )
        if lacking.copy_to_host()[0]:
            raise InputError("the prepared solver must be of this mesh; instead it lacks couplings: prepare it again")

    @property
    def widest(self) -> int:
        """Placements that are solved together."""
        return self._solver.widest

    def potentials(self, dadt: FloatArray, tol: float) -> Solution:
        """Potentials of primary fields (n, 3, k) of the head's nodes, in V/m."""
        phi, iterations, residual = np.empty((len(dadt), dadt.shape[2])), 0, 0.0
        for block, answered in self._solved(dadt.shape[2], dadt, tol, lambda block: block):
            phi[:, block] = self._solver.in_heads_order(answered.phi, answered.columns)
            iterations, residual = max(iterations, answered.iterations), max(residual, answered.residual)
        return Solution(phi, iterations, residual)

    def answers(self, count: int, fill: Fill | FloatArray, tol: float) -> Iterator[Answer]:
        """Potential, primary field and field of each placement; what the next one needs stays on the device.

        Parameters
        ----------
        count : int
            Placements.
        fill : callable or (n, 3, k) ndarray
            Writes the primary fields of a slice of the placements at nodes (n, 3) in m to an array (n, 3, width) on the
            device, zero in further columns, or returns those that it cannot write; or those fields in V/m at the head's
            nodes.
        tol : float
        """
        for _, block in self._solved(count, fill, tol, lambda block: block):
            potentials = block.phi.reshape(self._solver.size, 1, block.phi.shape[1])
            for column, e in enumerate(self._fields(block)):
                phi, dadt = self._column(potentials, column)[:, 0], self._column(block.dadt, column)
                yield Answer(phi, dadt, e, block.iterations)

    def fields_at(
        self, places: Places, patches: Patches, count: int, fill: Fill | FloatArray, tol: float, take: "Take[T]"
    ) -> Iterator[T]:
        """What `take` makes of E at some places, for some placements after the other; the rest as `answers`.

        Parameters
        ----------
        places : Places
        patches : Patches
            Of the head, whose pairs the places are.
        take : callable
        """

        def taken(block: _Block) -> T:
            at = self._on_device(places, patches)
            return take(*at.fields((self.points, self._tets), block.phi, block.dadt, block.columns))

        for _, found in self._solved(count, fill, tol, taken):
            yield found

    def _on_device(self, places: Places, patches: Patches) -> DevicePlaces:
        """The places on the device, those of the last call kept; fewer columns are solved where both do not fit."""
        if self._looked_at is None or self._looked_at.places is not places:
            self._looked_at = None  # frees the memory before more is asked for
            stencils = Stencils.of(patches, places.pairs)
            sizes = len(places.pairs), len(places.tets)
            while bytes_of_places(*sizes, self._solver.widest) > free_memory() and self._solver.narrowed():
                pass
            self._looked_at = DevicePlaces(places, stencils, self._place)
        return self._looked_at

    def _solved(
        self, count: int, fill: Fill | FloatArray, tol: float, use: Callable[[_Block], T]
    ) -> Iterator[tuple[slice, T]]:
        """What `use` makes of block after block."""
        return self._solver.in_blocks(count, lambda chosen: use(self._solve(chosen, fill, tol)))

    @in_turn
    def _solve(self, chosen: slice, fill: Fill | FloatArray, tol: float) -> _Block:
        columns = chosen.stop - chosen.start
        load = self._solver.load_buffer(columns)
        dadt = room((self._solver.size, 3, load.shape[1]))
        given = fill[..., chosen] if isinstance(fill, np.ndarray) else fill(chosen, self.points, dadt)
        if given is not None:
            self._solver.upload(given, dadt)
        shape = launch.by_row(self._solver.size, load.shape[1])
        kernels.load[shape](*self._solver.csr[:2], self._weights, dadt, load)
        x, taken, reached = self._solver.solve_inside(columns, tol)
        phi = room(x.shape)
        phi.copy_to_device(x)
        return _Block(phi, dadt, columns, taken, reached)

    def _fields(self, block: _Block) -> Iterator[FloatArray]:
        """(m, 3) E in V/m of one column after the other."""
        together = min(FIELDS_AT_A_TIME, block.columns)
        out = room((together, self._tets.shape[0], 3))
        shape = launch.by_row(self._tets.shape[0], together)
        for first in range(0, block.columns, together):
            kernels.element_field[shape](self.points, self._tets, self._all, block.phi, block.dadt, first, out)
            for number in range(min(together, block.columns - first)):
                yield np.asarray(out[number].copy_to_host())

    def _column(self, vectors: DeviceArray, column: int) -> FloatArray:
        """(n, d) one column of vectors (n, d, width), in the head's order."""
        out = room(vectors.shape[:2])
        kernels.column_back[launch.by_item(self._solver.size)](vectors, self._solver.device_order, column, out)
        return np.asarray(out.copy_to_host())


def _stars(linear: LinearElements, order: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row starts and numbers of the tetrahedra around each node, for nodes in another order."""
    start, around = linear.around
    lengths = np.diff(start)[order]
    row = np.concatenate([[0], np.cumsum(lengths)])
    return row.astype(np.int32), around[np.repeat(start[:-1][order] - row[:-1], lengths) + np.arange(row[-1])]
