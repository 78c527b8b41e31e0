"""Which tissues of a label volume are layers, one inside the other, and which are enclosed in a layer.

Eyes, spongy bone, vessels and muscle lie inside others without enclosing anything: a level set {rank <= k} of theirs
would coincide with its neighbors' over most of the head, and what is carved twice at one place comes out wrong. They
are put into the tissue they touch most while the layers are carved, and cut out of it afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.kernels.meshing import trilinear

#: A layer keeps what is inside of it from what is outside: of both, at most this share may touch past it.
_LARGEST_LEAK: Final = 0.35

#: A tissue of less than this share of the head is no layer: its volume is kept by cutting it out on its own.
_SMALLEST_LAYER: Final = 0.01


@dataclass(frozen=True)
class Nesting:
    """Layers from the inside out, and enclosed tissues in the order in which they are cut out of others.

    Attributes
    ----------
    layers : tuple of int
        Tags.
    enclosed : tuple of (int, int)
        Tag of each enclosed tissue, and that of the tissue it is cut out of: a layer, or one enclosed before it.
    """

    layers: tuple[int, ...]
    enclosed: tuple[tuple[int, int], ...] = ()


def contacts(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """(k, k) number of voxel faces between the labels 0 to k - 1, symmetric, with an empty diagonal."""
    count = int(labels.max()) + 1
    table = np.zeros(count * count, dtype=np.int64)
    for axis in range(labels.ndim):
        turned = np.moveaxis(labels, axis, 0)
        differs = turned[:-1] != turned[1:]
        pairs = turned[:-1][differs].astype(np.int64) * count + turned[1:][differs]
        table += np.bincount(pairs, minlength=count * count)
    square = table.reshape(count, count)
    return np.asarray(square + square.T)


def find_nesting(ranks: NDArray[np.uint8], tags: Sequence[int], spacing: NDArray[np.float64]) -> Nesting:
    """Layers and enclosed tissues by depth below the surface and by what touches what.

    Parameters
    ----------
    ranks : (nx, ny, nz) array of uint8
        0 outside, k for the k-th of `tags`.
    tags : sequence of int
    spacing : (3,) array, mm
    """
    touching = contacts(ranks)
    counts = np.bincount(ranks.ravel(), minlength=len(tags) + 1)[1:]
    order = [int(k) + 1 for k in np.argsort(-_depths(ranks, len(tags), spacing), kind="stable")]
    small = sorted((k for k in order if counts[k - 1] < _SMALLEST_LAYER * counts.sum()), key=lambda k: counts[k - 1])
    enclosed = []
    while len(order) > 1:
        leaks = [_leak(touching, order, place) for place in range(len(order))]
        worst = order[int(np.argmax(leaks))]
        if small:
            worst = small.pop(0)
        elif max(leaks) <= _LARGEST_LEAK:
            break
        order.remove(worst)
        small = [k for k in small if k in order]
        enclosed.append((worst, _put_into_neighbor(touching, worst, order, counts)))
    return Nesting(tuple(tags[k - 1] for k in order), tuple((tags[a - 1], tags[b - 1]) for a, b in reversed(enclosed)))


def given_nesting(ranks: NDArray[np.uint8], tags: Sequence[int], layers: Sequence[int]) -> Nesting:
    """The layers as they are given; every other tissue is cut out of the one it touches most.

    Raises
    ------
    InputError
        If `layers` is empty, repeats a tag, or has one that no voxel has.
    """
    order = [int(tag) for tag in layers]
    missing = sorted(set(order) - set(tags))
    if not order or missing or len(set(order)) != len(order):
        raise InputError(
            f"nesting must name labels of the volume, each once, from the inside out; instead labels are {list(tags)} "
            f"and nesting is {order}" + (f": no voxel has {missing}" if missing else "")
        )
    touching, counts = contacts(ranks), np.bincount(ranks.ravel(), minlength=len(tags) + 1)[1:]
    others = sorted((k for k, tag in enumerate(tags, start=1) if tag not in order), key=lambda k: counts[k - 1])
    left, enclosed = list(range(1, len(tags) + 1)), []
    for k in others:
        left.remove(k)
        enclosed.append((tags[k - 1], tags[_put_into_neighbor(touching, k, left, counts) - 1]))
    return Nesting(tuple(order), tuple(reversed(enclosed)))


def _depths(ranks: NDArray[np.uint8], count: int, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """(count,) median distance of each tissue's voxels to the outside, mm."""
    depth = np.where(ranks > 0, np.float32(1e4), np.float32(0))
    trilinear.limit_growth(depth, spacing, 1.0)
    return np.array([float(np.median(depth[ranks == k])) for k in range(1, count + 1)])


def _leak(touching: NDArray[np.int64], order: list[int], place: int) -> float:
    """How much of what is inside a layer touches what is outside of it directly, relative to the layer's own faces."""
    within, beyond = order[:place], [*order[place + 1 :], 0]
    past = float(touching[np.ix_(within, beyond)].sum())
    own = min(touching[order[place], within].sum(), touching[order[place], beyond].sum()) if within else 1
    return past / max(past + float(own), 1.0)


def _put_into_neighbor(touching: NDArray[np.int64], k: int, left: list[int], counts: NDArray[np.int64]) -> int:
    """The tissue of `left` that `k` touches most (the largest if none), which takes its contacts over."""
    host = max(left, key=lambda other: (touching[k, other], counts[other - 1]))
    touching[host] += touching[k]
    touching[:, host] += touching[:, k]
    touching[k] = touching[:, k] = 0
    touching[host, host] = 0
    return host
