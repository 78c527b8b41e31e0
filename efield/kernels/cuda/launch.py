"""How kernels are cut into threads, and numbers of half the size.

Blocks of right-hand sides are (n, k), the k columns side by side: a column is a lane of threads, a row is given to one
of `ROWS` groups of lanes. So the lanes of a group read one entry of the matrix together and neighboring columns of a
row, and each column's sums run in the order that they have alone.
"""

import struct
from contextlib import suppress

import numpy as np
from numba import config, cuda

SIMULATED = bool(config.ENABLE_CUDASIM)

with suppress(ImportError):  # the CUDA target that Numba still brings itself has no settings of its own
    from numba.cuda.core import config as _settings

    # Coarse grids need few threads: nothing to warn of.
    _settings.CUDA_LOW_OCCUPANCY_WARNINGS = 0

#: Columns that are solved together, the most first; each of Numba's simulated threads is a thread of Python.
WIDTHS = (2,) if SIMULATED else (32, 16, 8, 4)
WIDEST = WIDTHS[0]
#: Rows at a time, and rows whose products are summed together: fixed, so that sums do not depend on the width.
ROWS = 2 if SIMULATED else 16
CHUNK = 128 if SIMULATED else 256
#: Threads of kernels that go through a list.
THREADS = 4 if SIMULATED else 128
#: Threads that measure one field together; two to any power.
MEASURING = 4 if SIMULATED else 256
#: Most blocks of such a kernel; each thread then takes several.
_MOST_BLOCKS = 2 if SIMULATED else 65536

#: Vectors of the V-cycle are kept as bfloat16, the upper half of a float32. What bounds the cycle is how many bytes of
#: vectors it gathers, and it need only be roughly right. Numba does not see a change of this file: remove the kernels
#: that it keeps after one.
STORED = np.uint16


def chunks(n: int) -> int:
    """Number of chunks of n rows."""
    return max(1, -(-n // CHUNK))


def by_chunk(n: int, width: int) -> tuple[int, tuple[int, int]]:
    """Grid and block of kernels over the rows of an (n, width) block, a chunk to each block of threads."""
    return chunks(n), (width, ROWS)


def by_row(n: int, width: int) -> tuple[int, tuple[int, int]]:
    """Grid and block of kernels that give each row of an (n, width) block to one group of lanes."""
    return min(max(1, -(-n // ROWS)), _MOST_BLOCKS), (width, ROWS)


def by_item(n: int) -> tuple[int, int]:
    """Grid and block of kernels over a list of n."""
    return min(max(1, -(-n // THREADS)), _MOST_BLOCKS), THREADS


if SIMULATED:

    @cuda.jit(device=True)
    def wide(number):
        """float32 of what is stored."""
        return np.float32(struct.unpack("f", struct.pack("I", int(number) << 16))[0])

    @cuda.jit(device=True)
    def narrow(number):
        """What is stored of a float32: its upper half, rounded to nearest, to even in the middle."""
        bits = struct.unpack("I", struct.pack("f", number))[0]
        return np.uint16((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)

else:
    from numba.cuda import libdevice

    @cuda.jit(device=True)
    def wide(number):
        """float32 of what is stored."""
        return libdevice.int_as_float(np.int32(np.int64(number) << 16))

    @cuda.jit(device=True)
    def narrow(number):
        """What is stored of a float32: its upper half, rounded to nearest, to even in the middle."""
        bits = np.uint32(libdevice.float_as_int(np.float32(number)))
        return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))
