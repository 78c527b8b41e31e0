"""The primary field of placed coils, at the few points a basis looks at and at all nodes of a head."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from efield.coils.model import Coil, SampledField
from efield.coils.primary import dadt
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.turns import on_one_thread
from efield.targeting.prepared import prepared_coil

Placed = tuple[Coil, Pose]

#: Coils of fewer sources are summed directly: that costs less than storing their field.
_FEW_SOURCES: Final = 200

#: Nodes evaluated together for a block of placements: their fields fit into the cache while they are interleaved.
_NODES: Final = 1 << 14


@lru_cache(maxsize=64)
def evaluator(coil: Coil, cache: Path | None = None) -> Callable[[Pose, FloatArray, float], FloatArray]:
    """dA/dt (n, 3) in V/m of a coil at a pose, points (n, 3) in mm and a dI/dt in A/s.

    What is stored of the coil is kept in the folder `cache`, if one is given.
    """
    return partial(dadt, coil) if is_summed(coil) else prepared_coil(coil, cache).dadt


def is_summed(coil: Coil) -> bool:
    """Whether a coil's sources are summed for each placement, and nothing of it is stored."""
    return len(coil) < _FEW_SOURCES or any(isinstance(source, SampledField) for source in coil.sources)


def sample(coil: Coil, pose: Pose, points: FloatArray, didt: float, cache: Path | None = None) -> FloatArray:
    """(s * 3,) primary field at a few hundred points, on one thread: 0.08 ms."""
    with on_one_thread():
        return evaluator(coil, cache)(pose, points, didt).ravel()


def samples(placed: Sequence[Placed], points: FloatArray, didt: float, cache: Path | None = None) -> FloatArray:
    """(s * 3, p) primary field of many placements."""
    return np.stack([sample(coil, pose, points, didt, cache) for coil, pose in placed], axis=1)


def at_nodes(placed: Sequence[Placed], nodes_mm: FloatArray, didt: float, cache: Path | None = None) -> FloatArray:
    """(n, 3, b) primary field of a block of placements."""
    field = np.empty((len(nodes_mm), 3, len(placed)))
    for low in range(0, len(nodes_mm), _NODES):
        part = nodes_mm[low : low + _NODES]
        each = [evaluator(coil, cache)(pose, part, didt) for coil, pose in placed]
        field[low : low + _NODES] = np.stack(each, axis=-1)
    return field
