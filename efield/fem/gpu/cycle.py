"""The V-cycle of `efield.fem.multigrid` as a list of launches: the same grids, smoother and order of steps."""

from dataclasses import dataclass

import numpy as np

from efield.fem.gpu.steps import DeviceArray, Launch, csr_to_device, dense, room, to_device
from efield.fem.multigrid import Level, VCycle
from efield.kernels.cuda import cycle as kernels
from efield.kernels.cuda import launch

_Csr = tuple[DeviceArray, ...]
_Buffers = tuple[DeviceArray, DeviceArray, DeviceArray]


@dataclass(frozen=True, eq=False)
class _Grid:
    """One grid's matrices on the device."""

    size: int
    matrix: _Csr
    inverse_diagonal: DeviceArray
    chebyshev: list[tuple[np.float32, np.float32]]
    down: _Csr
    up: _Csr

    @staticmethod
    def of(level: Level) -> "_Grid":
        return _Grid(
            size=len(level.inverse_diagonal),
            matrix=csr_to_device(*level.matrix),
            inverse_diagonal=to_device(level.inverse_diagonal),
            chebyshev=level.chebyshev,
            down=csr_to_device(*level.down),
            up=csr_to_device(*level.up),
        )


class DeviceCycle:
    """A V-cycle that smooths over the diagonal, for blocks of any width.

    Parameters
    ----------
    cycle : VCycle
        Not a strong one: an incomplete factor is solved row after row, which a GPU cannot.
    """

    def __init__(self, cycle: VCycle) -> None:
        self._grids = [_Grid.of(level) for level in cycle.levels]
        self._coarsest = to_device(dense(cycle.coarsest))
        self._coarsest_size = cycle.grids.sizes[-1]

    def steps(self, width: int) -> tuple[DeviceArray, list[Launch], DeviceArray]:
        """The buffer (n, width) for loads, the launches, and the buffer where their result will be."""
        sizes = [grid.size for grid in self._grids] + [self._coarsest_size]
        loads = [room((size, width), launch.STORED) for size in sizes]
        down: list[Launch] = []
        up: list[Launch] = []
        x = room((self._coarsest_size, width), launch.STORED)
        found = [self._way_down(number, loads, down) for number in range(len(self._grids))]
        bottom = Launch(
            kernels.dense_product, (self._coarsest_size, (width, launch.ROWS)), (self._coarsest, loads[-1], x)
        )
        for number in reversed(range(len(self._grids))):
            x = self._way_up(number, loads[number], found[number], x, up)
        return loads[0], [*down, bottom, *up], x

    def _way_down(self, number: int, loads: list[DeviceArray], steps: list[Launch]) -> _Buffers:
        """Smooth from zero and restrict what remains; returns where the potential is, a spare buffer and the step."""
        grid, load = self._grids[number], loads[number]
        width = load.shape[1]
        shape = launch.by_row(grid.size, width)
        x, spare, step = (room((grid.size, width), launch.STORED) for _ in range(3))
        steps.append(Launch(kernels.first_step, shape, (load, grid.inverse_diagonal, grid.chebyshev[0][1], x, step)))
        x, spare, step = _smooth(grid, load, (x, spare, step), grid.chebyshev[1:], steps)
        steps.append(Launch(kernels.remainder, shape, (*grid.matrix, load, x, spare)))
        below = loads[number + 1]
        steps.append(Launch(kernels.product, launch.by_row(below.shape[0], width), (*grid.down, spare, below)))
        return x, spare, step

    def _way_up(
        self, number: int, load: DeviceArray, found: _Buffers, below: DeviceArray, steps: list[Launch]
    ) -> DeviceArray:
        """Add the correction from below and smooth; returns the buffer of the potential."""
        grid = self._grids[number]
        steps.append(Launch(kernels.add_product, launch.by_row(grid.size, load.shape[1]), (*grid.up, below, found[0])))
        return _smooth(grid, load, found, grid.chebyshev, steps)[0]


def _smooth(
    grid: _Grid,
    load: DeviceArray,
    buffers: _Buffers,
    chebyshev: list[tuple[np.float32, np.float32]],
    steps: list[Launch],
) -> _Buffers:
    """Chebyshev steps on a potential, a spare buffer and the last step; returns them as they lie then."""
    x, spare, step = buffers
    shape = launch.by_row(grid.size, load.shape[1])
    for number, (keep, rate) in enumerate(chebyshev):
        kernel = kernels.last_step if number + 1 == len(chebyshev) else kernels.smoothing_step
        arguments = (*grid.matrix, grid.inverse_diagonal, load, x, keep, rate, step, spare)
        steps.append(Launch(kernel, shape, arguments))
        x, spare = spare, x
    return x, spare, step
