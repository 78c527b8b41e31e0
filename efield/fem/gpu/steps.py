"""Lists of kernel launches that are run again and again: as one graph of the driver's where it takes one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.gpu.device import is_simulated

#: An array on the device; CUDA's types are not known where there is no GPU.
DeviceArray = Any


@dataclass(frozen=True)
class Launch:
    """A kernel, its grid and block, and what it works on."""

    kernel: Any
    shape: tuple[Any, Any]
    arguments: tuple[Any, ...]

    def __call__(self, stream: Any = 0) -> None:
        """Queue it on a stream, 0 for the default one."""
        self.kernel[(*self.shape, stream)](*self.arguments)


def run(launches: Sequence[Launch], stream: Any = 0) -> None:
    """Queue them in their order."""
    for launch in launches:
        launch(stream)


class Repeated:
    """Launches that are run many times on the same arrays.

    The first time one by one, which compiles what is not compiled yet; after that as a graph, whose launch costs the
    host one call instead of dozens. Where the driver or an older package refuses, they go on one by one and
    `without_graph` says why.
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._launches, self._compiled = list(launches), False
        self._graph: Callable[[], None] | None = None
        self.without_graph: str | None = "simulated" if is_simulated() else None

    def __call__(self) -> None:
        """Queue all of them on the default stream."""
        if self._compiled and self._graph is None and self.without_graph is None:
            self._record()
        if self._graph is None:
            run(self._launches)
            self._compiled = True
        else:
            self._graph()

    def _record(self) -> None:
        try:
            self._graph = _graph_of(self._launches)
        except Exception as error:  # whatever it is, the launches themselves are still there
            self.without_graph = f"{type(error).__name__}: {error}"


def _graph_of(launches: Sequence[Launch]) -> Callable[[], None]:
    from cuda.core import Device, Stream

    device = Device()
    device.set_current()
    builder = device.create_graph_builder().begin_building()
    run(launches, builder)
    graph = builder.end_building().complete()
    default = Stream.from_handle(0)
    return lambda: graph.launch(default)


def to_device(array: NDArray[Any]) -> DeviceArray:
    """A copy on the device."""
    from numba import cuda

    return cuda.to_device(np.ascontiguousarray(array))


def room(shape: tuple[int, ...], kind: Any = np.float64) -> DeviceArray:
    """An array on the device that nothing has been written to."""
    from numba import cuda

    return cuda.device_array(shape, kind)


def csr_to_device(indptr: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> tuple[DeviceArray, ...]:
    """Rows and columns as the kernels take them, and the values as they are."""
    return to_device(indptr.astype(np.int32)), to_device(columns.astype(np.uint32)), to_device(values)


def dense(arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> NDArray[np.float32]:
    """A square matrix with every entry, from its compressed rows."""
    indptr, columns, values = arrays
    size = len(indptr) - 1
    return np.ascontiguousarray(csr_matrix((values, columns, indptr), shape=(size, size)).toarray(), np.float32)
