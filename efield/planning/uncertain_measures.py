"""What measures of a placement may be: samples by cause, intervals of all together, and the share of each.

Causes are taken as independent, and what they change is added: the interval of all is that of the sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted
from efield.head.tissue import tissue_name
from efield.planning.belief import Range
from efield.planning.misplacement import Misplacement
from efield.planning.sobol import Share
from efield.targeting.measures import MEASURES, unknown

if TYPE_CHECKING:
    import pandas
    import xarray


#: Percentiles of the interval that is printed.
INTERVAL: Final = (5.0, 95.0)

#: Measures that may be negative; all others are sizes, and what several causes would bring below 0 is 0.
_SIGNED: Final = ("along", "normal_in_p99", "normal_out_p99")


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Carded):
    """What measures may be, each by its name; in the units of `efield.targeting.measures`.

    Parameters
    ----------
    nominal : dict of str to float
        The measures with the simulator's conductivities at the planned placement.
    by_conductivity : dict of str to (s,) float
        Measures over samples of the conductivities.
    by_placement : dict of str to (p,) float
        Measures over placements; empty if placement was left out.
    mesh_error : dict of str to float
        Numerical error of the nominal, one standard deviation; empty if it was not given.
    sobol : dict of str to dict of str to Share
        By measure and tissue.
    ranges : mapping of int to Range
    placement : Misplacement or None
    model_error : dict of str to float
        What the conductivity model misses at held-out full solves.
    map : xarray.Dataset or None
        `mean`, `sd`, `p5` and `p95` of |E| over the conductivities, in each tetrahedron (`tet`) of the region.
    """

    nominal: dict[str, float]
    by_conductivity: dict[str, FloatArray]
    by_placement: dict[str, FloatArray]
    mesh_error: dict[str, float]
    sobol: dict[str, dict[str, Share]]
    ranges: Mapping[int, Range]
    placement: Misplacement | None
    model_error: dict[str, float]
    map: "xarray.Dataset | None" = None
    _all: dict[str, FloatArray] = field(default_factory=dict)

    def together(self, name: str) -> FloatArray:
        """(s,) samples of a measure with all causes at once.

        Raises
        ------
        UnknownMeasureError
            If the measure is not here.
        """
        if name not in self.by_conductivity:
            raise unknown(name, self.by_conductivity)
        if name not in self._all:
            self._all[name] = self._summed(name)
        return self._all[name]

    def _summed(self, name: str) -> FloatArray:
        rng = np.random.default_rng(0)
        total = self.by_conductivity[name].copy()
        if name in self.by_placement:
            total += rng.choice(self.by_placement[name], len(total)) - self.nominal[name]
        if name in self.mesh_error:
            total += rng.normal(0.0, self.mesh_error[name], len(total))
        return np.maximum(total, 0.0) if name not in _SIGNED else total

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each measure, all causes together."""
        return {name: float(self.together(name).mean()) for name in self.by_conductivity}

    @property
    def sd(self) -> dict[str, float]:
        """Standard deviation of each measure, all causes together."""
        return {name: float(self.together(name).std()) for name in self.by_conductivity}

    def percentile(self, q: float) -> dict[str, float]:
        """The value of each measure below which q percent of the samples lie, all causes together."""
        at = checks.in_range("q", q, 0.0, 100.0)
        return {name: float(np.percentile(self.together(name), at)) for name in self.by_conductivity}

    def causes(self, name: str) -> dict[str, float]:
        """Share of each cause in the variance of a measure: conductivity, placement, mesh."""
        self.together(name)
        variance = {"conductivity": float(self.by_conductivity[name].var())}
        if name in self.by_placement:
            variance["placement"] = float(self.by_placement[name].var())
        if name in self.mesh_error:
            variance["mesh"] = self.mesh_error[name] ** 2
        total = sum(variance.values())
        return {cause: part / total if total else 0.0 for cause, part in variance.items()}

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per measure: nominal, mean, sd, interval, unit and the share of each cause and tissue."""
        import pandas

        low, high = (self.percentile(q) for q in INTERVAL)
        rows = {
            name: {
                "nominal": self.nominal[name],
                "mean": self.mean[name],
                "sd": self.sd[name],
                **{f"p{q:g}": side[name] for q, side in zip(INTERVAL, (low, high), strict=True)},
                "unit": MEASURES[name].unit,
                **{f"of {cause}": share for cause, share in self.causes(name).items()},
                **{f"total share of {tissue}": share.total for tissue, share in self.sobol[name].items()},
            }
            for name in self.by_conductivity
        }
        return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("measure")

    def to_json(self) -> dict[str, Any]:
        """Everything but the samples, ready for `json.dump`."""
        table = self.to_dataframe()
        return {
            "measures": {
                str(name): {str(k): v for k, v in row.items()} for name, row in table.to_dict("index").items()
            },
            "conductivity": {tissue_name(tag): str(one) for tag, one in self.ranges.items()},
            "placement": None if self.placement is None else str(self.placement),
            "model_error": self.model_error,
            "meaning": "ranges of belief, not of this person; causes are taken as independent",
        }

    def text(self, name: str) -> str:
        """A measure with its interval, such as ``"1.12 V/m (0.95 to 1.31)"``: two digits of the interval's width."""
        low, high = (np.percentile(self.together(name), q) for q in INTERVAL)
        width = high - low
        digits = max(0, 1 - int(np.floor(np.log10(width)))) if width > 0 else 4
        return f"{self.nominal[name]:.{digits}f} {MEASURES[name].unit} ({low:.{digits}f} to {high:.{digits}f})"

    def _card(self) -> Card:
        shown = [name for name in ("mean_magnitude", "along", "angle") if name in self.nominal]
        samples = counted(len(next(iter(self.by_conductivity.values()))), "sample")
        rows = [(name, self.text(name)) for name in shown]
        held = "as planned" if self.placement is None else str(self.placement)
        return Card("Uncertainty, 5th to 95th percentile", [*rows, ("of", samples), ("placement", held)])
