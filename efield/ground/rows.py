"""Rows of an array that are equal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct_rows(rows: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The different rows of an array, in rising order.

    What `numpy.unique` gives of rows, in a fraction of the time.

    Parameters
    ----------
    rows : ndarray, (n, m)
        Numbers without nan.

    Returns
    -------
    first : ndarray of intp, (k,)
        Where each of them is met first.
    which : ndarray of intp, (n,)
        The one of them that each row is.
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    which = np.empty(len(rows), np.intp)
    which[order] = np.cumsum(new) - 1
    return order[new], which
