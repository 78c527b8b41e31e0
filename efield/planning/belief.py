"""What is believed of quantities that were not measured in this person: conductivities and placements.

Published conductivities differ by factors, between people, samples and methods. The ranges below say what is believed,
not how this person's tissue varies: an interval that follows from them is as wide as the belief.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tissue import BONE, CSF, GRAY_MATTER, SCALP, WHITE_MATTER, conductivity, tissue_name, tissue_tag

SHAPES: Final = ("beta", "uniform")

#: Both parameters of the beta distribution: a bell between the ends of the range, as in the examples of SimNIBS.
_BELL: Final = 3.0


@dataclass(frozen=True)
class Range:
    """A conductivity that is somewhere between two values.

    Parameters
    ----------
    low, high : float, S/m
    shape : {"beta", "uniform"}
        Beta(3, 3) between the ends, or all values alike.
    source : str
        Where it is from, with a mark if it was not read there.

    Raises
    ------
    InputError
        If the ends are not positive and ascending, or the shape is unknown.
    """

    low: float
    high: float
    shape: str = "beta"
    source: str = "given"

    def __post_init__(self) -> None:
        checks.positive("low", self.low), checks.positive("high", self.high)
        checks.choice("shape", self.shape, SHAPES)
        if not self.high > self.low:
            raise InputError(
                "a range must go from a low to a higher conductivity in S/m; instead received "
                f"({self.low}, {self.high})"
            )

    def at(self, quantile: FloatArray) -> FloatArray:
        """Conductivities (S/m) at quantiles from 0 to 1."""
        from scipy import stats

        share = stats.beta.ppf(quantile, _BELL, _BELL) if self.shape == "beta" else quantile
        return np.asarray(self.low + (self.high - self.low) * share)

    def __str__(self) -> str:
        kind = "Beta(3, 3)" if self.shape == "beta" else "uniform"
        return f"{self.low:g} to {self.high:g} S/m, {kind} ({self.source})"


_READ: Final = "range used in the examples of SimNIBS 4"
_UNREAD: Final = "unverified"

#: Published ranges by tissue tag.
PUBLISHED: Final[dict[int, Range]] = {
    WHITE_MATTER: Range(0.1, 0.4, source=_READ),
    GRAY_MATTER: Range(0.1, 0.6, source=_READ),
    CSF: Range(1.2, 1.8, source=_UNREAD),
    BONE: Range(0.003, 0.012, source=_UNREAD),
    7: Range(0.003, 0.012, source=_READ),
    SCALP: Range(0.2, 0.5, source=_UNREAD),
}


def ranges_in(head: HeadMesh, given: Mapping[Any, Any] | None) -> dict[int, Range]:
    """Ranges by tag of the tissues of a head that vary.

    Parameters
    ----------
    head : HeadMesh
    given : mapping of str or int to (low, high) or Range, optional
        Tissues by name or tag; the published ranges of all tissues that the head has unless given.

    Raises
    ------
    InputError
        If a tissue is unknown or not in the head, or a range is none.
    """
    if given is None:
        return {tag: one for tag, one in PUBLISHED.items() if tag in head.tags}
    if not isinstance(given, Mapping):
        raise InputError(f"conductivity must map tissues to (low, high) in S/m; instead received {checks.kind(given)}")
    found: dict[int, Range] = {}
    for tissue, one in given.items():
        tag = tissue_tag(tissue)
        if tag in found:
            raise InputError(f"conductivity must give each tissue once; instead {tissue_name(tag)} is given twice")
        if tag not in head.tags:
            raise InputError(
                f"conductivity must name tissues of this head ({', '.join(map(tissue_name, head.tags))}); instead "
                f"received {tissue!r}, which it has not"
            )
        found[tag] = _range(tissue, tag, one)
    return found


def _range(tissue: Any, tag: int, one: Any) -> Range:
    if isinstance(one, Range):
        found = one
    else:
        try:
            low, high = map(float, one)
        except (TypeError, ValueError) as error:
            raise InputError(f"the range of {tissue} must be (low, high) in S/m; instead received {one!r}") from error
        found = Range(low, high)
    conductivity(f"the range of {tissue}", tag, found.high)
    return found
