"""Which device computes, and how much memory it has. Nothing of CUDA is imported to find out that there is none."""

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

from efield.ground import checks
from efield.ground.errors import EfieldWarning, SolverError

DEVICES: Final = ("auto", "cpu", "cuda")

#: Share of the free memory that is planned with; the driver, compiled kernels and what is known of coils take some.
_USABLE: Final = 0.85


class DeviceMemoryError(SolverError):
    """A head that the memory of the GPU does not hold; the message says what to do."""


def is_cuda(device: str) -> bool:
    """Whether one of `DEVICES` means a GPU here.

    "auto" means one where there is one and is silent where there is none. "cuda" warns then, and the CPU computes.

    Raises
    ------
    InputError
        If the device is none of `DEVICES`.
    """
    wanted = checks.choice("device", device, DEVICES)
    if wanted == "cpu" or (wanted == "auto" and is_simulated()):
        return False
    reason = why_not()
    if reason and wanted == "cuda":
        warnings.warn(f"the CPU computes, because {reason}", EfieldWarning, stacklevel=2)
    return reason is None


def is_simulated() -> bool:
    """Whether Numba's simulator takes the place of a GPU: for tests, thousands of times slower than a CPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


@lru_cache(maxsize=1)
def why_not() -> str | None:
    """Why no GPU can compute here, as the end of a sentence; None if one can."""
    if is_simulated():
        return None
    if find_spec("numba_cuda") is None:
        return "the extra gpu is not installed: pip install '.[gpu]' in the checkout of efield, or numba-cuda[cu12]"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed"
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the NVIDIA driver finds no GPU (nvidia-smi says more)"
    return None


def name() -> str:
    """What the GPU calls itself."""
    if is_simulated():
        return "Numba's simulator"
    from numba import cuda

    given = cuda.get_current_device().name
    return given.decode() if isinstance(given, bytes) else str(given)


def free_memory() -> float:
    """Bytes that can be planned with."""
    if is_simulated():
        return float("inf")
    from numba import cuda

    context = cuda.current_context()
    if dropped := getattr(context.memory_manager, "deallocations", None):
        dropped.clear()  # Numba gives memory back some arrays later
    return _USABLE * float(context.get_memory_info()[0])


def bytes_needed(nodes: int, entries: int, tets: int, width: int) -> float:
    """An estimate from sizes of what a head takes on a GPU when `width` placements are solved together.

    Parameters
    ----------
    nodes, entries, tets : int
        Unknowns, entries of their matrix, and tetrahedra.
    width : int
        Columns.
    """
    # float64 and its columns; three weights of the load; float32 and columns of all grids, and the ways between them.
    matrices = entries * (12 + 24 + 2 * 8)
    # Of conjugate gradients, the V-cycle, dA/dt with the copy that comes from the host, and potentials.
    vectors = nodes * width * (5 * 8 + 4 * 4 + 2 * 24 + 2 * 8)
    return float(matrices + vectors + tets * (16 + 4 + FIELDS_AT_A_TIME * 24) + nodes * 64)


def bytes_of_places(pairs: int, tets: int, width: int) -> float:
    """The same of what places take beside the head at which E of `width` placements is wanted (`efield.fem.answers`).

    Parameters
    ----------
    pairs, tets : int
        (node, tissue) pairs, whose patches have 53 nodes in the cortex of the default head, and tetrahedra.
    width : int
    """
    return float(pairs * (2000 + 24 * width) + tets * (4 + 24 * width))


#: Placements whose field in every tetrahedron is on the device at one time.
FIELDS_AT_A_TIME: Final = 4


def widest_that_fits(nodes: int, entries: int, tets: int) -> int:
    """How many placements can be solved together.

    Raises
    ------
    DeviceMemoryError
        If not even the fewest fit.
    """
    from efield.kernels.cuda.launch import WIDTHS

    free = free_memory()
    for width in WIDTHS:
        if bytes_needed(nodes, entries, tets, width) <= free:
            return width
    raise DeviceMemoryError(
        f"the head must fit into the memory of the GPU; instead it needs about "
        f"{bytes_needed(nodes, entries, tets, WIDTHS[-1]) / 1e9:.1f} GB and {free / 1e9:.1f} GB of {name()} are free: "
        "close what else runs there, use a coarser head, or device='cpu' (--device cpu)"
    )


@contextmanager
def memory_said() -> Iterator[None]:
    """What the driver says of memory that ran out becomes a `DeviceMemoryError`."""
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise DeviceMemoryError(
            "the GPU ran out of memory; close what else runs there, use a coarser head, or device='cpu' (--device cpu)"
        ) from error


def _is_out_of_memory(error: Any) -> bool:
    # Numba, its bindings and their core each have an error of their own, and the name of the code is in all of them.
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error)
