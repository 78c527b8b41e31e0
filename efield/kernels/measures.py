"""Measures of many fields on the same places: one field is one thread's, summed in the order of the places."""

import numpy as np
from numba import njit, prange

_BINS = 2048


@njit(cache=True)
def weighted_percentile(values, weights, percent):
    """The value below which `percent` of the weight lies: the first whose running weight reaches it.

    A linear map to bins keeps the order whatever the rounding, so only the values of one bin need to be sorted.
    """
    low, high = values.min(), values.max()
    if not high > low:
        return np.float64(low)
    rate = (_BINS - 1) / (np.float64(high) - np.float64(low))
    filled = np.zeros(_BINS)
    for i in range(values.shape[0]):
        filled[int((np.float64(values[i]) - low) * rate)] += weights[i]
    total = 0.0
    for b in range(_BINS):
        total += filled[b]
    wanted, below, chosen = percent / 100.0 * total, 0.0, 0
    while chosen < _BINS - 1 and below + filled[chosen] < wanted:
        below += filled[chosen]
        chosen += 1
    count = 0
    members = np.empty(values.shape[0], np.int64)
    for i in range(values.shape[0]):
        if int((np.float64(values[i]) - low) * rate) == chosen:
            members[count] = i
            count += 1
    if count == 0:
        return np.float64(high)
    order = np.argsort(values[members[:count]])
    for k in range(count):
        below += weights[members[order[k]]]
        if below >= wanted:
            return np.float64(values[members[order[k]]])
    return np.float64(values[members[order[count - 1]]])


@njit(cache=True)
def _one(e, weights, direction, rows, normals, areas, out):
    size = np.empty(e.shape[0])
    mean = np.zeros(3)
    total = weights.sum()
    out[0] = 0.0
    for i in range(e.shape[0]):
        x, y, z = np.float64(e[i, 0]), np.float64(e[i, 1]), np.float64(e[i, 2])
        size[i] = np.sqrt(x * x + y * y + z * z)
        share = weights[i] / total
        out[0] += share * size[i]
        mean[0] += share * x
        mean[1] += share * y
        mean[2] += share * z
    out[1] = weighted_percentile(size, weights, 50.0)
    out[2] = weighted_percentile(size, weights, 99.0)
    out[3] = size.max()
    along = mean[0] * direction[0] + mean[1] * direction[1] + mean[2] * direction[2]
    out[7] = along
    rest = 0.0
    for d in range(3):
        rest += (mean[d] - along * direction[d]) ** 2
    out[8] = np.sqrt(rest)
    if rows.shape[0] == 0:
        out[4:7] = np.nan
        return
    inward = np.empty(rows.shape[0])
    out[4], area = 0.0, areas.sum()
    for f in range(rows.shape[0]):
        i = rows[f]
        inward[f] = -(e[i, 0] * normals[f, 0] + e[i, 1] * normals[f, 1] + e[i, 2] * normals[f, 2])
        out[4] += areas[f] / area * abs(inward[f])
    out[5] = weighted_percentile(inward, areas, 99.0)
    out[6] = weighted_percentile(-inward, areas, 99.0)


@njit(cache=True, parallel=True)
def measures(e, weights, direction, rows, normals, areas):
    """(p, 9) measures of fields e (p, k, 3) with weights (k,).

    Mean, median, 99th percentile and maximum of |E|; mean |normal| and the 99th percentiles of the components against
    and along the outward normals (f, 3) at places rows (f,) with areas (f,), nan if there are none; the mean along the
    direction (3,), and the length of the mean perpendicular to it.
    """
    result = np.empty((e.shape[0], 9))
    for p in prange(e.shape[0]):
        _one(e[p], weights, direction, rows, normals, areas, result[p])
    return result


@njit(cache=True, parallel=True)
def focality(e, weights, percent, share):
    """Weight (p,) of the places where |e| (p, k, 3) reaches `share` of its own weighted percentile."""
    result = np.empty(e.shape[0])
    for p in prange(e.shape[0]):
        size = np.empty(e.shape[1], e.dtype)
        for i in range(e.shape[1]):
            size[i] = np.sqrt(e[p, i, 0] ** 2 + e[p, i, 1] ** 2 + e[p, i, 2] ** 2)
        limit = share * weighted_percentile(size, weights, percent)
        total = 0.0
        for i in range(e.shape[1]):
            if size[i] >= limit:
                total += weights[i]
        result[p] = total
    return result
