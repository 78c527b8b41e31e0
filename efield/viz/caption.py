"""The line of words above a picture: what was computed, in the units people quote."""

from typing import TYPE_CHECKING

import numpy as np

from efield.coils.model import Coil
from efield.coils.polarity import induced_words
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.tissue import tissue_name
from efield.targeting.measures import PEAK_PERCENTILE, TargetMeasures, weighted_percentile
from efield.targeting.named import CoilLike, coil_if_any
from efield.targeting.naming import Place, target_if_any
from efield.targeting.summary import Summary
from efield.targeting.target import Target
from efield.viz.drawn_tissue import drawn_tissue
from efield.viz.page import BETWEEN

if TYPE_CHECKING:
    from efield.targeting.field import EField


def caption(
    field: "EField",
    target: Place | None = None,
    coil: CoilLike | None = None,
    *,
    drive: str = "",
    summary: Summary | None = None,
) -> str:
    """Coil, drive, field at the target and peak, the same numbers as in `EField.summary`.

    Parameters
    ----------
    field : EField
    target : Target, str or (3,) array_like, optional
        As in `efield.targeting.naming.target_of`.
    coil : Coil, or its name or file, optional
        Also which way its rising current induces, in its own frame.
    drive : str
        What sets dI/dt, such as ``magstim-rapid2 at 60 %``.
    summary : Summary, optional
        Of the field at the target, where it is known: nothing is measured twice.

    Returns
    -------
    str
        Such as ``d70 (induces +y), dI/dt 1 A/µs  ·  m1-hand-left: mean |E| 0.93 V/m`` and the peak in gray matter.

    Raises
    ------
    OutsideHeadError
        If the target's region holds no tissue.
    """
    coil = coil_if_any(coil)
    rate = f"dI/dt {field.didt / AMPERE_PER_MICROSECOND:.4g} A/µs" + (f" ({drive})" if drive else "")
    parts = [rate if coil is None else f"{named(coil)}, {rate}"]
    if field.others:
        parts.append(f"with {len(field.others)} more coil{'s' * (len(field.others) > 1)}, not drawn")
    if (target := target_if_any(field.head, target)) is not None:
        mean = _mean(field, target) if summary is None else summary["mean_magnitude"]
        parts.append(f"{target.name}: mean |E| {mean:.3g} V/m")
    tag = drawn_tissue(field.head)
    peak = _peak(field, tag) if summary is None else summary["peak"]
    parts.append(f"{tissue_name(tag)}: peak |E| {peak:.3g} V/m")
    return BETWEEN.join(parts)


def _mean(field: "EField", target: Target) -> float:
    measures = TargetMeasures.at(field.head, target)
    return dict(zip(measures.names, map(float, measures.of_field(field, target)), strict=True))["mean_magnitude"]


def _peak(field: "EField", tag: int) -> float:
    own = np.flatnonzero(field.head.tissue == tag)
    size = np.linalg.norm(field.in_tets(own), axis=1)
    return weighted_percentile(size, field.head.volumes[own], PEAK_PERCENTILE)


def named(coil: Coil) -> str:
    """The coil's name and direction: ``d70 (induces +y)``."""
    words = induced_words(coil).partition(",")[0]
    return f"{coil.name} (induces {words})" if words else coil.name
