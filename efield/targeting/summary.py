"""What one field does at a target and in the whole gray matter: all measures of a full solve, with their meanings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.surface import cortex, nearest, scalp
from efield.head.tissue import GRAY_MATTER
from efield.targeting.collision import clearance_mm
from efield.targeting.errors import estimated_errors
from efield.targeting.measures import (
    MEASURES,
    TargetMeasures,
    in_gray_matter,
    on_midsurface,
    unknown,
)
from efield.targeting.regions import Disc
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import pandas

    from efield.targeting.field import EField

Value = float | tuple[float, ...] | None

#: A mesh whose estimated errors exceed these shares at the target is called too coarse. The default head is at 0.5 and
#: 2 %.
_TOLERATED: Final = {"mean_magnitude": 0.05, "p99_magnitude": 0.1}


@dataclass(frozen=True)
class Measured:
    """One measure's value, and how far the mesh may have led it astray.

    Parameters
    ----------
    value : float, tuple of float or None
        None where there is none.
    unit, meaning : str
    error : float or None
        Estimate of the value's distance from what an ever finer mesh of the same surfaces would give, in the same unit;
        of a maximum at its own place. None for what does not depend on the field. docs/accuracy.md says how good it is.
    """

    value: Value
    unit: str
    meaning: str
    error: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "n/a"
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        places = 1 if isinstance(self.value, tuple) else None
        if self.error is None:
            text = [f"{v:.4g}" if places is None else f"{v:.{places}f}" for v in values]
            return f"{_joined(text)} {self.unit}"
        if places is None:
            return f"{with_error(values[0], self.error)} {self.unit} (mesh)"
        return f"{_joined([f'{v:.{places}f}' for v in values])} ± {self.error:.{places}f} {self.unit} (mesh)"


def with_error(value: float, error: float) -> str:
    """The two as text: the error to one digit, two where it begins with a 1, and the value no further."""
    digits = _decimals(error, abs(value))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _joined(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _decimals(error: float, value: float) -> int:
    """Digits behind the point that an error leaves of a value, which has four digits at most."""
    if error <= 0:
        return 2
    first = int(np.floor(np.log10(error)))
    wanted = -first + (1 if error < 2 * 10.0**first else 0)
    most = 3 - int(np.floor(np.log10(value))) if value > 0 else wanted
    return max(0, min(wanted, max(most, 0)))


class Summary(Carded, Mapping[str, Any]):
    """Measures by name: ``summary["mean_magnitude"]`` is a plain number, None where there is none.

    ``summary.measures["mean_magnitude"]`` has its unit, its meaning and its error too, and ``print(summary)`` shows all
    of them. The errors take about half a solve, at the first use of them.

    Parameters
    ----------
    values : mapping of str to float, tuple of float or None
    title : str
        What it is a summary of.
    errors : callable, optional
        Gives the errors by name.
    """

    def __init__(
        self,
        values: Mapping[str, Value],
        title: str = "",
        errors: Callable[[Mapping[str, Value]], Mapping[str, float]] | None = None,
    ) -> None:
        self._values, self.title, self._estimate = dict(values), title, errors

    @cached_property
    def measures(self) -> Mapping[str, Measured]:
        """All of them with unit, meaning and error."""
        errors = {} if self._estimate is None else self._estimate(self._values)
        return {
            name: Measured(value, MEASURES[name].unit, MEASURES[name].meaning, errors.get(name))
            for name, value in self._values.items()
        }

    @property
    def metrics(self) -> Mapping[str, Measured]:
        """`measures` by the name that other programs know them by."""
        return self.measures

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise unknown(name, self._values)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        lines = [f"{one.meaning:<64} {one!s:>30}" for one in self.measures.values()]
        return "\n".join(lines + [f"note: {self.advice}"] * bool(self.advice))

    def text(self, name: str) -> str:
        """A measure for people, such as ``0.79 ± 0.03 V/m (mesh)``."""
        _ = self[name]
        return str(self.measures[name])

    @property
    def advice(self) -> str:
        """What to do about a mesh that is too coarse at the target for its question; empty where it is not."""
        for one, most in ((self.measures.get(name), most) for name, most in _TOLERATED.items()):
            if one is None or one.error is None or not isinstance(one.value, float) or one.error <= most * one.value:
                continue
            share = f"{one.error / one.value:.0%}" if one.value > 0 else "all of it"
            return (
                f"the mesh is too coarse at the target: its {one.meaning} is {one}, uncertain by {share}; make edges "
                "there shorter or use elements of second order"
            )
        return ""

    def to_dict(self) -> dict[str, Value]:
        """``{name: value}``."""
        return dict(self._values)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """``{name: {value, unit, meaning, error}}``, ready for `json.dump`."""
        return {name: asdict(one) for name, one in self.measures.items()}

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per measure, with value, unit, meaning and error; the index is the name."""
        import pandas

        return pandas.DataFrame.from_dict(self.to_json(), orient="index").rename_axis("measure")

    def _card(self) -> Card:
        first = ("mean_magnitude", "along", "angle", "peak", "focality_50")
        order = sorted(self, key=lambda name: (name not in first, first.index(name) if name in first else 0))
        return Card(f"Summary {self.title}".strip(), [(name, self.text(name)) for name in order])


def summarize(field: "EField", target: Target) -> Summary:
    """The measures of a field for a target.

    Raises
    ------
    OutsideHeadError
        If the target's region has no tissue.
    InputError
        If the head has no gray matter.
    """
    if GRAY_MATTER not in field.head.tags:
        raise InputError(
            f"a summary needs gray matter (tag {GRAY_MATTER}); instead the head has tags {field.head.tags}"
        )
    measures = TargetMeasures.at(field.head, target)
    found = dict(zip(measures.names, map(float, measures.of_field(field, target)), strict=True))
    drive = field.didt / AMPERE_PER_MICROSECOND
    values: dict[str, Value] = {"didt": drive}
    values |= {name: None if np.isnan(value) else value for name, value in found.items()}
    alone = bool(drive) and not field.others
    values["mean_magnitude_per_drive"] = found["mean_magnitude"] / abs(drive) if alone else None
    values["target_volume"] = float(measures.weights.sum())
    if isinstance(target.region, Disc):
        values |= {name: None if np.isnan(value) else value for name, value in on_midsurface(field, target).items()}
    e = field.in_tets(np.flatnonzero(field.head.tissue == GRAY_MATTER))
    values |= in_gray_matter(field.head, e) | _distances(field, target)
    return Summary(values, f"at {target.name}", partial(estimated_errors, field, target, in_gray=e))


def _distances(field: "EField", target: Target) -> dict[str, Value]:
    outer, gray = scalp(field.head).points_mm, cortex(field.head).points_mm
    below_coil = outer[nearest(outer, field.pose.center_mm)[0]]
    return {
        "scalp_cortex": nearest(gray, below_coil)[1],
        "target_depth": nearest(outer, target.center_mm)[1],
        "target_spread": None if target.spread_mm is None else tuple(target.spread_mm.tolist()),
        "coil_target": float(np.linalg.norm(field.pose.center_mm - target.center_mm)),
        "coil_clearance": _clearance(field),
    }


def _clearance(field: "EField") -> float | None:
    """Of the coil nearest to the head; None where the shape of one is not known."""
    if not all(drive.coil.has_known_shape for drive in field.drives):
        return None
    return min(clearance_mm(field.head, drive.coil, drive.pose) for drive in field.drives)
