"""Numbers that describe a field at a target and in the whole gray matter.

All of them use the recovered field (`EField.recovered`) at the centers of tetrahedra and surface triangles, weighted by
volume or area. "Peak" is the 99.9th volume percentile of |E| in gray matter: the maximum itself is a property of the
mesh's worst element, not of the field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.surface import cortex, nearest, scalp
from efield.head.tissue import GRAY_MATTER
from efield.targeting.collision import clearance_mm
from efield.targeting.field import EField
from efield.targeting.targets import Target

_PEAK_PERCENTILE: Final = 99.9


@dataclass(frozen=True)
class Metric:
    """One number with its unit and what it means."""

    value: float | tuple[float, ...] | None
    unit: str
    meaning: str


class Summary(Mapping[str, Any]):
    """Metrics by name: ``summary["target_mean"]`` is a plain number; ``summary.metrics`` has units and meanings."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = dict(metrics)

    def __getitem__(self, name: str) -> Any:
        return self.metrics[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        return "\n".join(f"{m.meaning:<64} {format_value(m):>22}" for m in self.metrics.values())

    def to_json(self) -> dict[str, dict[str, Any]]:
        """``{name: {value, unit, meaning}}``, ready for `json.dump`."""
        return {name: asdict(metric) for name, metric in self.metrics.items()}


def format_value(metric: Metric) -> str:
    """A metric's value and unit for people, such as ``1.12 V/m``."""
    if metric.value is None:
        return "n/a"
    if isinstance(metric.value, tuple):
        return "(" + ", ".join(f"{v:.1f}" for v in metric.value) + f") {metric.unit}"
    return f"{metric.value:.4g} {metric.unit}"


def weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], percent: float) -> float:
    """The value below which `percent` of the total weight lies.

    Parameters
    ----------
    values, weights : (n,) float
    percent : float
        0 to 100.
    """
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, percent / 100.0 * cumulative[-1]).clip(max=len(order) - 1)])


def summarize(field: EField, target: Target) -> Summary:
    """Metrics of a field for a target.

    Raises
    ------
    OutsideHeadError
        If the target's region has no tissue.
    InputError
        If the head has no gray matter.
    """
    region = target.tets(field.head)
    if GRAY_MATTER not in field.head.tags:
        raise InputError(
            f"a summary needs gray matter (tag {GRAY_MATTER}); instead the head has tags {field.head.tags}"
        )
    metrics = _target_metrics(field, target, region) | _surface_metrics(field, target) | _gray_metrics(field)
    metrics |= _distances(field, target)
    return Summary(metrics)


def _target_metrics(field: EField, target: Target, region: NDArray[np.intp]) -> dict[str, Metric]:
    e = field.in_tets(region)
    volume = field.head.volumes[region]
    size = np.linalg.norm(e, axis=1)
    mean = np.average(e, axis=0, weights=volume)
    size_mean = float(np.average(size, weights=volume))
    drive = field.didt / AMPERE_PER_MICROSECOND
    metrics = {
        "didt": Metric(drive, "A/us", "coil current's rate of change, dI/dt"),
        "target_mean": Metric(size_mean, "V/m", "mean |E| in the target"),
        "target_mean_per_drive": Metric(
            size_mean / abs(drive) if drive and not field.others else None,
            "V/m per A/us",
            "mean |E| in the target per unit of drive",
        ),
        "target_p99": Metric(weighted_percentile(size, volume, 99), "V/m", "99th percentile of |E| in the target"),
        "target_max": Metric(float(size.max()), "V/m", "maximum |E| in the target"),
        "target_volume": Metric(float(volume.sum()), "mm3", "volume of the target's region"),
    }
    if target.direction is not None:
        along, length = float(mean @ target.direction), float(np.linalg.norm(mean))
        angle = float(np.degrees(np.arccos(np.clip(along / length, -1, 1)))) if length else None
        metrics["target_along"] = Metric(along, "V/m", "mean E along the preferred direction in the target")
        metrics["target_angle"] = Metric(angle, "deg", "angle of the mean E to the preferred direction")
    return metrics


def _surface_metrics(field: EField, target: Target) -> dict[str, Metric]:
    """Components on the gray-matter surface; positive normal = current into the cortex."""
    surface = cortex(field.head)
    near = np.flatnonzero(np.linalg.norm(surface.centers_mm - target.center_mm, axis=1) <= target.radius_mm)
    meanings = {
        "normal_mean": "mean |normal component| on the target's gray surface",
        "normal_in_p99": "99th percentile of the component into the cortex",
        "tangential_mean": "mean tangential component on the target's gray surface",
    }
    if not len(near):
        return {name: Metric(None, "V/m", meaning) for name, meaning in meanings.items()}
    e = field.on_triangles(surface, GRAY_MATTER)[near]
    inward = -np.einsum("ij,ij->i", e, surface.triangle_normals[near])
    tangential = np.sqrt(np.maximum(np.einsum("ij,ij->i", e, e) - inward**2, 0.0))
    area = surface.areas[near]
    values = (
        float(np.average(np.abs(inward), weights=area)),
        weighted_percentile(inward, area, 99),
        float(np.average(tangential, weights=area)),
    )
    return {name: Metric(value, "V/m", meanings[name]) for name, value in zip(meanings, values, strict=True)}


def _gray_metrics(field: EField) -> dict[str, Metric]:
    gray = np.flatnonzero(field.head.tissue == GRAY_MATTER)
    size = np.linalg.norm(field.in_tets(gray), axis=1)
    volume = field.head.volumes[gray]
    peak = weighted_percentile(size, volume, _PEAK_PERCENTILE)
    top = size >= peak
    place = np.average(field.head.barycenters[gray[top]], axis=0, weights=volume[top])
    metrics = {
        "peak": Metric(peak, "V/m", "peak |E| in gray matter (99.9th percentile)"),
        "peak_place": Metric(tuple(float(x) for x in place), "mm", "center of the gray matter above the peak"),
    }
    for share in (50, 75):
        above = float(volume[size >= share / 100 * peak].sum()) / 1000.0
        metrics[f"focality_{share}"] = Metric(above, "cm3", f"gray matter with |E| >= {share} % of the peak")
    return metrics


def _distances(field: EField, target: Target) -> dict[str, Metric]:
    outer, gray = scalp(field.head).points_mm, cortex(field.head).points_mm
    below_coil = outer[nearest(outer, field.pose.center_mm)[0]]
    coil_target = float(np.linalg.norm(field.pose.center_mm - target.center_mm))
    return {
        "scalp_cortex": Metric(
            nearest(gray, below_coil)[1], "mm", "scalp to nearest gray matter, under the coil's center"
        ),
        "target_depth": Metric(
            nearest(outer, target.center_mm)[1], "mm", "depth of the target's center below the scalp"
        ),
        "coil_target": Metric(coil_target, "mm", "coil center to target center"),
        "coil_clearance": Metric(_clearance(field), "mm", "smallest gap from casing to scalp; negative = overlap"),
    }


def _clearance(field: EField) -> float | None:
    """Of the coil nearest to the head; None where the shape of one is not known."""
    if not all(drive.coil.has_known_shape for drive in field.drives):
        return None
    return min(clearance_mm(field.head, drive.coil, drive.pose) for drive in field.drives)
