"""Measures of many fields at the same places: one field is one thread's, summed in the order of the places."""

import numpy as np
from numba import njit

from efield.kernels.parts import in_parts

_BINS = 2048


@njit(cache=True)
def _range(values):
    """Least and largest of the values; nan if one of them is (Numba's own `min` and `max` take seconds to compile)."""
    low, high = np.nan, np.nan
    for i in range(values.shape[0]):
        if np.isnan(values[i]):
            return np.nan, np.nan
        low = low if low <= values[i] else values[i]
        high = high if high >= values[i] else values[i]
    return low, high


@njit(cache=True)
def _sort(values, weights, count):
    """Sorts the first `count` values, ascending, and their weights with them (Shell's sort: little to compile)."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            value, weight, q = values[i], weights[i], i
            while q >= gap and values[q - gap] > value:
                values[q], weights[q] = values[q - gap], weights[q - gap]
                q -= gap
            values[q], weights[q] = value, weight
        gap //= 2


@njit(cache=True)
def weighted_percentile(values, weights, percent):
    """The value below which `percent` of the weight lies: the first whose running weight reaches it.

    A linear map to bins keeps the order whatever the rounding, so only the values of one bin need to be sorted.
    """
    low, high = _range(values)
    if not high > low:
        return low
    rate = (_BINS - 1) / (high - low)
    filled = np.zeros(_BINS)
    for i in range(values.shape[0]):
        filled[int((values[i] - low) * rate)] += weights[i]
    total = 0.0
    for b in range(_BINS):
        total += filled[b]
    wanted, below, chosen = percent / 100.0 * total, 0.0, 0
    while chosen < _BINS - 1 and below + filled[chosen] < wanted:
        below += filled[chosen]
        chosen += 1
    count = np.int64(0)
    members, shares = np.empty(values.shape[0]), np.empty(values.shape[0])
    for i in range(values.shape[0]):
        if int((values[i] - low) * rate) == chosen:
            members[count], shares[count] = values[i], weights[i]
            count += 1
    if count == 0:
        return high
    _sort(members, shares, count)
    for k in range(count):
        below += shares[k]
        if below >= wanted:
            return members[k]
    return members[count - 1]


@njit(cache=True)
def _total(values):
    total = 0.0
    for value in values:
        total += value
    return total


@njit(cache=True)
def _sizes(e, corners, size, weights, mean):
    """|E| (k,) at places that are means of four rows of e each; returns its weighted mean, mean (3,) that of E."""
    total, sizes = _total(weights), 0.0
    for d in range(3):
        mean[d] = 0.0
    for i in range(corners.shape[0]):
        square, share = 0.0, weights[i] / total
        for d in range(3):
            value = 0.0
            for c in range(4):
                value += e[corners[i, c], d]
            value /= 4.0
            square += value * value
            mean[d] += share * value
        size[i] = np.sqrt(square)
        sizes += share * size[i]
    return sizes


@njit(cache=True)
def _along(mean, direction, out):
    """Component of the mean along a direction (3,), length of the rest, and the angle between them in degrees."""
    along = mean[0] * direction[0] + mean[1] * direction[1] + mean[2] * direction[2]
    rest = 0.0
    for d in range(3):
        rest += (mean[d] - along * direction[d]) ** 2
    out[9], out[10] = along, np.sqrt(rest)
    out[11] = np.degrees(np.arctan2(out[10], along)) if out[4] > 0.0 else np.nan


@njit(cache=True)
def _on_faces(e, faces, normals, areas, out):
    """Components at faces that are means of three rows of e each; nan if there are none."""
    if faces.shape[0] == 0:
        out[5], out[6], out[7], out[8] = np.nan, np.nan, np.nan, np.nan
        return
    inward, area = np.empty(faces.shape[0]), _total(areas)
    out[5], out[8] = 0.0, 0.0
    for f in range(faces.shape[0]):
        square, normal = 0.0, 0.0
        for d in range(3):
            value = 0.0
            for c in range(3):
                value += e[faces[f, c], d]
            value /= 3.0
            square += value * value
            normal += value * normals[f, d]
        inward[f] = -normal
        out[5] += areas[f] / area * abs(normal)
        out[8] += areas[f] / area * np.sqrt(max(square - normal * normal, 0.0))
    out[6] = weighted_percentile(inward, areas, 99.0)
    out[7] = weighted_percentile(-inward, areas, 99.0)


def measures(e, corners, weights, direction, faces, normals, areas):
    """(p, 12) measures of fields e (p, r, 3).

    At places that are the means of four rows each, corners (k, 4), with weights (k,): mean, median, 99th percentile and
    maximum of |E|, and the length of the mean of E. At faces that are the means of three, faces (f, 3), with outward
    normals (f, 3) and areas (f,): mean |normal component|, the 99th percentiles of the components against and along
    the normal, and the mean tangential component; nan if there are none. Then the component of the mean along the
    direction (3,), the length of the rest, and the angle in degrees.
    """
    result = np.empty((len(e), 12))
    rows = np.ascontiguousarray(e, np.float64)
    _measures(len(e), rows, corners, weights, direction, faces, normals, areas, result)
    return result


@in_parts
def _measures(first, last, e, corners, weights, direction, faces, normals, areas, result):
    size, mean = np.empty(corners.shape[0]), np.empty(3)
    for p in range(first, last):
        out = result[p]
        out[0] = _sizes(e[p], corners, size, weights, mean)
        out[1] = weighted_percentile(size, weights, 50.0)
        out[2] = weighted_percentile(size, weights, 99.0)
        out[3] = _range(size)[1]
        out[4] = np.sqrt(mean[0] ** 2 + mean[1] ** 2 + mean[2] ** 2)
        _on_faces(e[p], faces, normals, areas, out)
        _along(mean, direction, out)


def focality(e, corners, weights, percent, share):
    """Weight (p,) of the places where |e| reaches `share` of its own weighted percentile; places as in `measures`."""
    result = np.empty(len(e))
    _focality(len(e), e, corners, weights, float(percent), share, result)
    return result


@in_parts
def _focality(first, last, e, corners, weights, percent, share, result):
    # One field at a time in double precision: those of a block fill hundreds of megabytes.
    rows, size, mean = np.empty(e.shape[1:]), np.empty(corners.shape[0]), np.empty(3)
    for p in range(first, last):
        for i in range(rows.shape[0]):
            for d in range(3):
                rows[i, d] = e[p, i, d]
        _sizes(rows, corners, size, weights, mean)
        limit = share * weighted_percentile(size, weights, percent)
        total = 0.0
        for i in range(corners.shape[0]):
            if size[i] >= limit:
                total += weights[i]
        result[p] = total
