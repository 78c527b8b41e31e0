"""What a reduced basis is good for, measured on placements it has never seen."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.search.measures import Measures


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


@dataclass(frozen=True)
class Certificate:
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
    pointwise : Spread
        Largest difference of |E| in any tetrahedron over the largest |E| of that placement.
    measures : dict of str to Spread
        Error of each target measure over the full solve's mean magnitude.
    """

    tol: float
    held_out: int
    solves: int
    field: Spread
    pointwise: Spread
    measures: dict[str, Spread]

    @property
    def met(self) -> bool:
        """True if the largest error of E is at most `tol`."""
        return self.field.max <= self.tol

    def __str__(self) -> str:
        head = f"{self.solves} solves, {self.held_out} held out, tol {self.tol:g}: {'met' if self.met else 'NOT met'}"
        rows = {"E": self.field, "|E| pointwise over peak": self.pointwise} | self.measures
        lines = [f"{name:<26} {s.median:9.2e} {s.p95:9.2e} {s.max:9.2e}" for name, s in rows.items()]
        return "\n".join([head, f"{'relative error':<26} {'median':>9} {'95 %':>9} {'max':>9}", *lines])

    def to_json(self) -> dict[str, Any]:
        """A dictionary ready for `json.dump`; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Certificate":
        """The certificate that `to_json` wrote."""
        spreads = {name: Spread(**spread) for name, spread in values["measures"].items()}
        own = {name: Spread(**values[name]) for name in ("field", "pointwise")}
        return cls(**{**values, **own, "measures": spreads})


def field_errors(
    fast: NDArray[np.floating], full: NDArray[np.float64], volumes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(p,) relative errors of fields (p, k, 3), weighted by volume."""
    difference = np.einsum("pkc,pkc,k->p", fast - full, fast - full, volumes)
    return np.asarray(np.sqrt(difference / np.einsum("pkc,pkc,k->p", full, full, volumes)))


def certify(
    fast: NDArray[np.floating],
    full: NDArray[np.float64],
    volumes: NDArray[np.float64],
    target: tuple[Measures, NDArray[np.intp]],
    tol: float,
    solves: int,
) -> Certificate:
    """Compare fields (p, k, 3) of the basis with full solves; `target` has its measures and its rows in k."""
    measures, rows = target
    size = np.linalg.norm(full, axis=2)
    pointwise = np.abs(np.linalg.norm(fast, axis=2) - size).max(axis=1) / size.max(axis=1)
    exact = np.array([measures.of(e[rows]) for e in full])
    error = np.abs(np.array([measures.of(e[rows]) for e in fast]) - exact) / exact[:, :1]
    spreads = {name: Spread.of(column) for name, column in zip(measures.names, error.T, strict=True)}
    field = Spread.of(field_errors(fast, full, volumes))
    return Certificate(tol, len(full), solves, field, Spread.of(pointwise), spreads)
