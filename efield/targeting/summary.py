"""What one field does at a target and in the whole gray matter: all measures of a full solve, with their meanings."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.surface import cortex, nearest, scalp
from efield.head.tissue import GRAY_MATTER
from efield.targeting.collision import clearance_mm
from efield.targeting.measures import (
    MEASURES,
    PEAK_PERCENTILE,
    TargetMeasures,
    unknown,
    weighted_percentile,
)
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import pandas

    from efield.targeting.field import EField

Value = float | tuple[float, ...] | None


class Summary(Carded, Mapping[str, Any]):
    """Measures by name: ``summary["mean_magnitude"]`` is a plain number, None where there is none.

    `efield.targeting.measures.MEASURES` has their units and meanings; ``print(summary)`` shows all of them.

    Parameters
    ----------
    values : mapping of str to float, tuple of float or None
    title : str
        What it is a summary of.
    """

    def __init__(self, values: Mapping[str, Value], title: str = "") -> None:
        self._values, self.title = dict(values), title

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise unknown(name, self._values)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return "\n".join(f"{MEASURES[name].meaning:<64} {self.text(name):>22}" for name in self)

    def text(self, name: str) -> str:
        """A measure's value and unit for people, such as ``1.12 V/m``."""
        value, unit = self[name], MEASURES[name].unit
        if value is None:
            return "n/a"
        if isinstance(value, tuple):
            return "(" + ", ".join(f"{v:.1f}" for v in value) + f") {unit}"
        return f"{value:.4g} {unit}"

    def to_dict(self) -> dict[str, Value]:
        """``{name: value}``."""
        return dict(self._values)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """``{name: {value, unit, meaning}}``, ready for `json.dump`."""
        return {
            name: {"value": value, "unit": MEASURES[name].unit, "meaning": MEASURES[name].meaning}
            for name, value in self._values.items()
        }

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per measure, with value, unit and meaning; the index is the name."""
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
    return Summary(values | _in_head(field) | _distances(field, target), f"at {target.name}")


def _distances(field: "EField", target: Target) -> dict[str, Value]:
    outer, gray = scalp(field.head).points_mm, cortex(field.head).points_mm
    below_coil = outer[nearest(outer, field.pose.center_mm)[0]]
    return {
        "scalp_cortex": nearest(gray, below_coil)[1],
        "target_depth": nearest(outer, target.center_mm)[1],
        "coil_target": float(np.linalg.norm(field.pose.center_mm - target.center_mm)),
        "coil_clearance": _clearance(field),
    }


def _clearance(field: "EField") -> float | None:
    """Of the coil nearest to the head; None where the shape of one is not known."""
    if not all(drive.coil.has_known_shape for drive in field.drives):
        return None
    return min(clearance_mm(field.head, drive.coil, drive.pose) for drive in field.drives)
