"""What a reduced basis is good for, measured on placements it has never seen."""

from dataclasses import asdict, dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Outputs
from efield.ground.card import Card, Carded, counted, listed
from efield.targeting.measures import Rows, TargetMeasures, region_focality


@dataclass(frozen=True)
class Spread:
    """Median, 95th percentile and maximum over the held-out placements of one relative error."""

    median: float
    p95: float
    max: float

    @classmethod
    def of(cls, errors: NDArray[np.float64]) -> "Spread":
        """The spread of (p,) errors."""
        return cls(float(np.median(errors)), float(np.percentile(errors, 95)), float(errors.max()))


@dataclass(frozen=True, repr=False)
class Certificate(Carded):
    """Errors of a reduced basis against full solves at held-out placements.

    Parameters
    ----------
    tol : float
        What was asked of the largest relative error of E.
    held_out : int
        Placements tested, none of which the basis was made from or tuned with.
    solves : int
        Placements the basis was made from.
    field : Spread
        |E - E_full| / |E_full|, root mean square over the region's tetrahedra weighted by volume.
    recovered : Spread
        The same of the recovered field, which the measures are of.
    pointwise : Spread
        Largest difference of |E| in any tetrahedron over the largest |E| of that placement.
    measures : dict of str to Spread
        Error of each target measure over the full solve's mean magnitude, of the angle in radians, and of the focality
        over its own value.
    coils : dict of str to Spread
        Error of E for each coil it was tested with, if there are several.
    """

    tol: float
    held_out: int
    solves: int
    field: Spread
    recovered: Spread
    pointwise: Spread
    measures: dict[str, Spread]
    coils: dict[str, Spread] = dataclass_field(default_factory=dict)

    @property
    def met(self) -> bool:
        """True if the largest error of E is at most `tol`."""
        return self.field.max <= self.tol

    def __str__(self) -> str:
        head = f"{self.solves} solves, {self.held_out} held out, tol {self.tol:g}: {'met' if self.met else 'NOT met'}"
        rows = {
            "E": self.field,
            "E recovered": self.recovered,
            "|E| pointwise over peak": self.pointwise,
        } | self.measures
        rows |= {f"E, {name}": spread for name, spread in self.coils.items()}
        lines = [f"{name:<28} {s.median:9.2e} {s.p95:9.2e} {s.max:9.2e}" for name, s in rows.items()]
        return "\n".join([head, f"{'relative error':<28} {'median':>9} {'95 %':>9} {'max':>9}", *lines])

    def to_json(self) -> dict[str, Any]:
        """A dictionary ready for `json.dump`; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Certificate":
        """The certificate that `to_json` wrote."""
        own = {name: Spread(**values[name]) for name in ("field", "recovered", "pointwise")}
        lists = {
            group: {name: Spread(**spread) for name, spread in values.get(group, {}).items()}
            for group in ("measures", "coils")
        }
        return cls(**{**values, **own, **lists})

    @property
    def words(self) -> str:
        """The largest error, and whether it is what was asked for."""
        return f"{self.field.max:.2%} of E, tol {self.tol:g}: {'met' if self.met else 'NOT met'}"

    def _card(self) -> Card:
        rows = (
            ("largest error", self.words),
            ("median error", f"{self.field.median:.2%} of E"),
            ("held out", counted(self.held_out, "placement")),
            ("made from", counted(self.solves, "solve")),
            ("coils", listed(self.coils)),
        )
        return Card("Certificate", rows)


def certify(
    fast: NDArray[np.floating],
    full: NDArray[np.floating],
    outputs: Outputs,
    target: tuple[TargetMeasures, Rows],
    tol: float,
    solves: int,
    coils: list[str],
) -> Certificate:
    """Compare fields (p, r, 3) of the basis with full solves of the named coils; `target` has its measures and rows.

    Measures that the target does not have (normal components without cortex) are left out.
    """
    places = len(outputs.numbers)
    pairs = list(zip(fast, full, strict=True))
    errors = np.array([_relative(a[:places], b[:places], outputs.weights) for a, b in pairs])
    recovered = np.array([_relative(outputs.recovered(a), outputs.recovered(b), outputs.weights) for a, b in pairs])
    pointwise = np.array([_pointwise(a[:places], b[:places]) for a, b in pairs])
    spreads = _measured(fast, full, *target)
    if outputs.gray.any():
        spreads[outputs.focality] = Spread.of(_focal(fast, full, outputs))
    names = np.array(coils)
    each = {name: Spread.of(errors[names == name]) for name in dict.fromkeys(coils)}
    groups = each if len(each) > 1 else {}
    whole = (Spread.of(errors), Spread.of(recovered), Spread.of(pointwise))
    return Certificate(tol, len(full), solves, *whole, spreads, groups)


def _measured(
    fast: NDArray[np.floating], full: NDArray[np.floating], measures: TargetMeasures, rows: Rows
) -> dict[str, Spread]:
    """Errors of the measures at a target over the mean magnitude, and of the angle in radians."""
    found, exact = (measures.of_rows(e[:, rows.numbers].astype(np.float64), rows) for e in (fast, full))
    spreads = {}
    for name, error in zip(measures.names, np.abs(found - exact).T, strict=True):
        share = np.radians(error) if name.endswith("angle") else error / exact[:, 0]
        if np.isfinite(share).all():
            spreads[name] = Spread.of(share)
    return spreads


def _relative(fast: NDArray[np.floating], full: NDArray[np.floating], weights: NDArray[np.float64]) -> float:
    """Error of a field (k, 3), weighted by volume or area."""
    difference = fast.astype(np.float64) - full
    squares = [np.einsum("kc,kc,k->", e, e, weights, dtype=np.float64) for e in (difference, full.astype(np.float64))]
    return float(np.sqrt(squares[0] / squares[1]))


def _focal(fast: NDArray[np.floating], full: NDArray[np.floating], outputs: Outputs) -> NDArray[np.float64]:
    """Relative errors (p,) of the focality of fields (p, r, 3)."""
    weights, rows = outputs.weights[outputs.gray], outputs.gray_rows
    found, exact = (region_focality(e[:, rows.numbers], rows.corners, weights) for e in (fast, full))
    return np.abs(found - exact) / exact


def _pointwise(fast: NDArray[np.floating], full: NDArray[np.floating]) -> float:
    size = np.linalg.norm(full, axis=1)
    return float(np.abs(np.linalg.norm(fast, axis=1) - size).max() / size.max())
