"""Types of arrays that many functions take and give, and one thing that many do with them."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def row_keys(rows: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) a number for each row (n, k) of whole numbers: equal where rows are, and in their order.

    `numpy.unique` of these takes a sixth of the time that it takes of rows.
    """
    whole = np.asarray(rows, dtype=np.int64)
    low, high = whole.min(axis=0, initial=0), whole.max(axis=0, initial=0)
    if prod((high - low + 1).tolist()) >= 1 << 63:
        return np.unique(whole, axis=0, return_inverse=True)[1].reshape(len(whole))
    return np.asarray(np.ravel_multi_index(tuple((whole - low).T), tuple(high - low + 1)), dtype=np.int64)
