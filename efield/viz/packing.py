"""Arrays as pages for browsers read them."""

import numpy as np
from numpy.typing import NDArray


def append(blob: bytearray, array: NDArray[np.signedinteger]) -> int:
    """Add an array (n, k) column by column as differences, which zlib packs well; returns where it starts."""
    blob.extend(b"\0" * (-len(blob) % 4))
    start = len(blob)
    # Differences of bytes wrap around, and wrap back when they are summed up.
    blob.extend(np.diff(array, axis=0, prepend=array.dtype.type(0)).T.astype(array.dtype).tobytes())
    return start
