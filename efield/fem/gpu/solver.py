"""Block multigrid conjugate gradients on a GPU: `efield.fem.solvers.MultigridCG` step by step.

The hierarchy is found on the CPU. On the device conjugate gradients run in float64 and the V-cycle in float32, with
vectors of half that size; residuals that are returned are true ones, |b - K phi| / |b| in float64. An iteration runs
without the host, which only asks whether a column is still active. Columns that do not converge in time go on on the
CPU with its stronger smoother.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.gpu.cycle import DeviceCycle
from efield.fem.gpu.device import DeviceMemoryError, memory_said
from efield.fem.gpu.steps import DeviceArray, Launch, Repeated, csr_to_device, room, run, to_device
from efield.fem.solvers import MultigridCG
from efield.fem.system import ConstantsPerPart, Solution
from efield.ground.turns import in_turn
from efield.kernels.cuda import blocks as kernels
from efield.kernels.cuda import elements, launch

FloatArray = NDArray[np.float64]
T = TypeVar("T")


class Means:
    """The null space on the device: takes the mean of each connected part from a block."""

    def __init__(self, null: ConstantsPerPart) -> None:
        members = np.argsort(null.part, kind="stable")
        ends = np.concatenate([[0], np.cumsum(null.sizes)]).astype(np.int64)
        # Chunks of rows, none of which holds rows of two parts.
        bounds = [np.arange(low, high, launch.CHUNK) for low, high in pairwise(ends)]
        first = np.concatenate([[0], np.cumsum([len(chunk) for chunk in bounds])])
        self._chunks, self._parts = int(first[-1]), null.n_parts
        self._bounds = to_device(np.concatenate([*bounds, ends[-1:]]).astype(np.int32))
        self._members, self._part = to_device(members.astype(np.int32)), to_device(null.part.astype(np.int32))
        self._first, self._sizes = to_device(first.astype(np.int32)), to_device(null.sizes)

    def removal(self, block: DeviceArray) -> list[Launch]:
        """The launches that leave the (n, width) block without them."""
        n, width = block.shape
        parts, totals = room((self._chunks, width)), room((self._parts, width))
        lanes = (width, launch.ROWS)
        return [
            Launch(kernels.part_sums, (self._chunks, lanes), (block, self._members, self._bounds, parts)),
            Launch(kernels.sums, (self._parts, lanes), (parts, self._first, totals)),
            Launch(kernels.subtract_means, launch.by_chunk(n, width), (block, self._part, totals, self._sizes)),
        ]


class _Work:
    """What a block of one width is solved in, and the launches that do it."""

    def __init__(self, csr: tuple[DeviceArray, ...], means: Means, cycle: DeviceCycle, n: int, width: int) -> None:
        self.load, self.x, remainder, direction, image = (room((n, width)) for _ in range(5))
        now, self.before, curvature, self.square = (room((1, width)) for _ in range(4))
        self.scale, self.limit, self.active = room((width,)), room((width,)), room((width,), np.int32)
        scaled, cycle_steps, preconditioned = cycle.steps(width)
        shape, parts = launch.by_chunk(n, width), room((launch.chunks(n), width))
        start = to_device(np.array([0, launch.chunks(n)], np.int32))

        def summed(out: DeviceArray) -> Launch:
            return Launch(kernels.sums, (1, (width, launch.ROWS)), (parts, start, out))

        residual = Launch(kernels.remainder, shape, (*csr, self.load, self.x, remainder, parts)), summed(self.square)
        #: Takes the means from the load, and begins at x = 0.
        self.balance = [*means.removal(self.load), Launch(kernels.zero, shape, (self.x,))]
        #: Takes them from x, and finds what remains; rounding leaves constants there that no potential can answer.
        self.settle = [*means.removal(self.x), *residual, *means.removal(remainder)]
        begin = (remainder, self.scale, scaled, direction, parts)
        self.start = [Launch(kernels.begin, shape, begin), summed(self.square)]
        step = (now, curvature, self.active, direction, image, self.x, remainder, self.scale, scaled, parts)
        iteration = [
            *cycle_steps,
            Launch(kernels.dot_stored, shape, (remainder, preconditioned, parts)),
            summed(now),
            Launch(kernels.turn, shape, (now, self.before, preconditioned, direction)),
            Launch(kernels.product, shape, (*csr, direction, image, parts)),
            summed(curvature),
            Launch(kernels.descend, shape, step),
            summed(self.square),
            Launch(kernels.rest, (1, width), (self.square, self.limit, now, self.before, self.active)),
        ]
        self.iteration = Repeated(iteration)


class DeviceCG:
    """A `MultigridCG` whose first round of iterations runs on the GPU.

    Parameters
    ----------
    host : MultigridCG
        Prepared on the CPU, with a smoother over the diagonal; it finishes what stalls.
    widest : int
        Most columns that are solved together.
    cycle : DeviceCycle, optional
        That of a solver which preconditions this one, too.
    """

    def __init__(self, host: MultigridCG, widest: int, cycle: DeviceCycle | None = None) -> None:
        #: Columns that are solved together.
        self.host, self.widest = host, widest
        self.size = len(host.csr[0]) - 1
        self.order = np.arange(self.size, dtype=np.int32) if host.order is None else host.order.astype(np.int32)
        with memory_said():
            self.csr = csr_to_device(*host.csr)
            self.device_order = to_device(self.order)
            self._means = Means(host.null)
            self._cycle = cycle or DeviceCycle(host.preconditioner)
        self._work: _Work | None = None

    def of_matrix(self, matrix: csr_matrix) -> "DeviceCG":
        """The solver of another matrix of this size, preconditioned as this one is."""
        return DeviceCG(self.host.of_matrix(matrix), self.widest, self._cycle)

    @in_turn
    def solve(self, load: FloatArray, tol: float) -> Solution:
        """Solve every column; raises SolverError when one does not converge."""
        phi, iterations, residual = np.empty_like(load, order="C"), 0, 0.0
        for block, found in self.in_blocks(load.shape[1], lambda block: self._solve_some(load[:, block], tol)):
            phi[:, block] = found[0]
            iterations, residual = max(iterations, found[1]), max(residual, found[2])
        return Solution(phi, iterations, residual)

    def in_blocks(self, count: int, use: Callable[[slice], T]) -> Iterator[tuple[slice, T]]:
        """What `use` makes of block after block of columns, of fewer ones once the memory has not been enough."""
        first = 0
        while first < count:
            chosen = slice(first, min(first + self.widest, count))
            try:
                with memory_said():
                    found = use(chosen)
            except DeviceMemoryError:
                if not self.narrowed():
                    raise
                continue
            yield chosen, found
            first = chosen.stop

    def narrowed(self) -> bool:
        """Whether fewer columns can be solved together, which they are from now on; their work space is freed."""
        fewer = [width for width in launch.WIDTHS if width < self.widest]
        self._work = None
        if fewer:
            self.widest = fewer[0]
        return bool(fewer)

    def _solve_some(self, load: FloatArray, tol: float) -> tuple[FloatArray, int, float]:
        inside = self.load_buffer(load.shape[1])
        self.upload(load[:, None], inside.reshape(self.size, 1, -1))
        x, taken, reached = self.solve_inside(load.shape[1], tol)
        return self.in_heads_order(x, load.shape[1]), taken, reached

    def upload(self, given: FloatArray, out: DeviceArray) -> None:
        """Numbers (n, d, k) of the head's nodes to columns of out (n, d, width), zero in further ones."""
        shape = launch.by_row(self.size, out.shape[2])
        elements.reorder_vectors[shape](to_device(given), self.device_order, out)

    def in_heads_order(self, x: DeviceArray, columns: int) -> FloatArray:
        """(n, columns) of a block (n, width), in the order of the matrix that was given, in memory."""
        found = room((self.size, columns))
        kernels.put_back[launch.by_chunk(*x.shape)](x, self.device_order, found)
        return np.asarray(found.copy_to_host())

    def load_buffer(self, columns: int) -> DeviceArray:
        """(n, width) for right-hand sides in the solver's order, zero in what is more than `columns`."""
        width = min(w for w in launch.WIDTHS if w >= columns)
        if self._work is None or self._work.load.shape[1] != width:
            self._work = None  # frees the memory before more is asked for
            self._work = _Work(self.csr, self._means, self._cycle, self.size, width)
        return self._work.load

    def solve_inside(self, columns: int, tol: float) -> tuple[DeviceArray, int, float]:
        """Potentials (n, width) of what is in the load buffer, the iterations, and the largest residual.

        Potentials are in the solver's order, and live until the next solve.
        """
        work = self._work
        assert work is not None  # noqa: S101 - the load was written to it
        run(work.balance)
        taken, reached = self._approach(work, tol)
        reached = reached[:columns]
        if (reached > tol).any():
            load, x = (np.ascontiguousarray(array.copy_to_host()[:, :columns]) for array in (work.load, work.x))
            found, taken, largest = self.host.finished(load, x, tol, taken, reached)
            work.x.copy_to_device(np.pad(found, ((0, 0), (0, work.x.shape[1] - columns))))
            return work.x, taken, largest
        return work.x, taken, float(np.max(reached, initial=0.0))

    def _approach(self, work: _Work, tol: float) -> tuple[int, FloatArray]:
        """As `MultigridCG._approach`, from zero."""
        run(work.settle)
        norm = np.sqrt(work.square.copy_to_host()[0])
        divisor = np.where(norm > 0, norm, 1.0)
        work.scale.copy_to_device(np.where(norm > 0, 1.0 / divisor, 0.0))
        work.limit.copy_to_device(tol * norm)
        reached, taken, before = norm / divisor, 0, np.inf
        while taken < self.host.first_round and tol < np.max(reached) < 0.5 * before:
            before = float(np.max(reached))
            taken += self._iterate(work, tol * norm, self.host.first_round - taken)
            run(work.settle)
            reached = np.sqrt(work.square.copy_to_host()[0]) / divisor
        return taken, reached

    def _iterate(self, work: _Work, allowed: FloatArray, limit: int) -> int:
        """Conjugate gradients until every column's recursive residual is as small as allowed; how many iterations."""
        run(work.start)
        active = np.sqrt(work.square.copy_to_host()[0]) > allowed
        work.active.copy_to_device(active.astype(np.int32))
        work.before.copy_to_device(np.zeros(work.before.shape))
        for iteration in range(limit):
            work.iteration()
            if not work.active.copy_to_host().any():
                return iteration + 1
        return limit
