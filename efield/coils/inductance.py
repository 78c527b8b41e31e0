"""Inductance of a coil by Neumann's formula, for currents spread evenly over the wires' cross-sections.

L = mu0/4pi sum over all pairs of filaments of n_i n_j integral dl_i . dl_j / r. A filament's own term is the mutual
inductance of two filaments one geometric mean distance (GMD) of its cross-section apart (Maxwell; Grover, Inductance
Calculations, 1946).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from efield.coils.equivalent import open_end_gap_mm, wires
from efield.coils.model import Coil, Segments
from efield.coils.primary import segment_rows
from efield.ground.units import MU0_OVER_4PI, mm_to_m
from efield.kernels.coils.linkage import linkage

#: GMD of a round wire of 2 mm diameter, r exp(-1/4): taken where the wire's cross-section is not known (mm).
ASSUMED_GMD_MM: Final = float(np.exp(-0.25))


@dataclass(frozen=True)
class Inductance:
    """Henry, and whether the wire's thickness was assumed (round, 2 mm)."""

    henry: float
    thickness_assumed: bool


def inductance(coil: Coil) -> Inductance | None:
    """Self-inductance of all windings in series.

    Parameters
    ----------
    coil : Coil
        Made of closed wires; leads, skin effect and cores are not in it.

    Returns
    -------
    Inductance or None
        None where the coil is not made of closed wires only.
    """
    parts = [source for source in coil.sources if isinstance(source, Segments)]
    if len(parts) < len(coil.sources) or any(open_end_gap_mm(part) is not None for part in parts):
        return None
    whole = Segments.joined(parts)
    gmd = ASSUMED_GMD_MM if whole.gmd_mm is None else whole.gmd_mm
    return Inductance(_neumann(whole, gmd), thickness_assumed=whole.gmd_mm is None)


def _neumann(segments: Segments, gmd_mm: float) -> float:
    """Henry; two Gauss points on each segment, whose own potential is exact."""
    starts, ends = mm_to_m(segments.starts_mm), mm_to_m(segments.ends_mm)
    along = ends - starts
    wire = wires(segments)
    middle, offset = (starts + ends) / 2, along / np.sqrt(12)
    points = np.concatenate([middle - offset, middle + offset])
    elements = np.tile(along * segments.turns[:, None] / 2, (2, 1))
    squared = float(mm_to_m(np.array(gmd_mm))) ** 2
    per_place = linkage(points, elements, np.tile(wire, 2), segment_rows(segments), wire, squared)
    return MU0_OVER_4PI * float(per_place.sum())
