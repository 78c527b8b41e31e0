"""How sure the measures of a placement are: conductivity, placement and mesh, apart and together.

Conductivities vary over published ranges, placements by the technique that holds the coil. Causes are taken as
independent, and what they change is added: the interval of all is that of the sums. Where published ranges are wide,
intervals are: they are ranges of belief, not of this person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc, sobol_indices

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.card import Card, Carded, counted
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.head.tissue import tissue_name
from efield.planning.belief import Range
from efield.planning.conductivity_model import ConductivityModel
from efield.planning.misplacement import Misplacement, misplacement
from efield.targeting.given import simulator
from efield.targeting.measures import MEASURES, TargetMeasures, unknown
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import pandas
    import xarray

FloatArray = NDArray[np.float64]

#: Percentiles of the interval that is printed.
INTERVAL: Final = (5.0, 95.0)

#: Samples that maps are of.
_MAP_SAMPLES: Final = 256


class Share(NamedTuple):
    """Sobol' shares of a measure's variance that come from one tissue's conductivity.

    Parameters
    ----------
    first : float
        From it alone.
    total : float
        With all that it does together with others.
    """

    first: float
    total: float


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
        return total

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
        """A measure with its interval, such as ``"1.12 V/m (0.95 to 1.31)"``."""
        low, high = (np.percentile(self.together(name), q) for q in INTERVAL)
        return f"{self.nominal[name]:.4g} {MEASURES[name].unit} ({low:.4g} to {high:.4g})"

    def _card(self) -> Card:
        shown = [name for name in ("mean_magnitude", "along", "angle") if name in self.nominal]
        samples = counted(len(next(iter(self.by_conductivity.values()))), "sample")
        rows = [(name, self.text(name)) for name in shown]
        held = "as planned" if self.placement is None else str(self.placement)
        return Card("Uncertainty, 5th to 95th percentile", [*rows, ("of", samples), ("placement", held)])


def uncertainty(
    sim: Simulator,
    coil: CoilLike,
    pose: Pose,
    target: Place,
    conductivity: Mapping[Any, Any] | None = None,
    *,
    placement: Misplacement | str | None = None,
    didt: float = 1e6,
    samples: int = 1 << 17,
    placements: int = 48,
    mesh_error: Mapping[str, float] | None = None,
    region_mm: float | None = None,
    allow_collision: bool = False,
    progress: Progress = None,
) -> Uncertainty:
    """How sure the measures at a target are.

    Parameters
    ----------
    sim : Simulator
    coil : Coil, or its name or file
    pose : Pose
        As planned.
    target : Target, str or (3,) array_like
    conductivity : mapping of str or int to (low, high) or Range, optional
        S/m, by tissue: Beta(3, 3) between the ends, or what a `Range` says. The published ranges of all tissues of the
        head unless given.
    placement : Misplacement or {"cap", "navigated", "robot"}, optional
        How far the coil is from where it should be. Left out unless given.
    didt : float, A/s
    samples : int
        Of the conductivities, at most; a power of two of each design is taken.
    placements : int
        Placements that are solved for: their number is the precision of what placement does.
    mesh_error : mapping of str to float, optional
        Numerical error of measures by name.
    region_mm : float, optional
        Draw a map of gray and white matter within this distance of the target.
    allow_collision : bool
        As in `Simulator.solve`, for the pose as planned.
    progress : bool or callable, optional

    Raises
    ------
    InputError
        If a tissue, technique or measure is unknown or a number is out of range.
    CollisionError
        If nobody holds a coil at the pose.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil = ef.load_coil("d70")
    >>> pose = ef.place_coil(head, "m1-hand-left", coil=coil)
    >>> sure = ef.uncertainty(ef.Simulator(head), coil, pose, "m1-hand-left", {"bone": (0.003, 0.012)}, samples=512)
    >>> sure.sd["mean_magnitude"] < 0.01 * sure.mean["mean_magnitude"]  # a sphere's field hears little of it
    True
    """
    place, coil = target_of(simulator(sim).head, target), the_coil(coil)
    held = None if placement is None else misplacement(placement)
    options: dict[str, Any] = {"didt": didt, "region_mm": region_mm, "allow_collision": allow_collision}
    options["progress"] = progress
    model = ConductivityModel.build(sim, coil, pose, place, conductivity, **options)
    names = model.measures.names
    values, sobol = _sampled(model, checks.whole("samples", samples, 64))
    nominal = model.measured(model.nominal[None])[0]
    elsewhere: Sequence[FloatArray] = ()
    number = checks.whole("placements", placements, 2)
    if held is not None:
        elsewhere = list(
            _at_placements(sim, coil, held.placements(sim.head, coil, pose, number), place, didt, progress).T
        )
    return Uncertainty(
        nominal=dict(zip(names, nominal.tolist(), strict=True)),
        by_conductivity=dict(zip(names, values.T, strict=True)),
        by_placement=dict(zip(names, elsewhere, strict=True)) if held else {},
        mesh_error={name: float(error) for name, error in (mesh_error or {}).items() if name in names},
        sobol={name: sobol[k] for k, name in enumerate(names)},
        ranges=model.ranges,
        placement=held,
        model_error=model.error,
        map=_map(model) if len(model.region) else None,
    )


def _sampled(model: ConductivityModel, samples: int) -> tuple[FloatArray, list[dict[str, Share]]]:
    """Measures (2 n, m) at two independent designs of the conductivities, and Sobol' shares of each measure.

    Saltelli's estimators need each column of the second design put into the first.
    """
    tissues = len(model.ranges)
    n = 1 << max(5, int(np.log2(samples / (2 + tissues))))
    both = qmc.Sobol(2 * tissues, scramble=False).random(2 * n)[n:]
    first, second = (model.sampled(part) for part in np.split(both, 2, axis=1))
    mixed = []
    for column in range(tissues):
        design = first.copy()
        design[:, column] = second[:, column]
        mixed.append(model.measured(design))
    at_first, at_second = model.measured(first), model.measured(second)
    given = {"f_A": at_first.T, "f_B": at_second.T, "f_AB": np.array([one.T for one in mixed])}
    shares = _shares(given, n, [tissue_name(tag) for tag in model.ranges])
    return np.concatenate([at_first, at_second]), shares


def _shares(given: dict[str, FloatArray], n: int, tissues: list[str]) -> list[dict[str, Share]]:
    varying = np.ptp(given["f_A"], axis=1) > 0
    if not varying.any():
        return [dict.fromkeys(tissues, Share(0.0, 0.0)) for _ in varying]
    found = sobol_indices(func={name: np.asarray(f)[..., varying, :] for name, f in given.items()}, n=n)
    none = dict.fromkeys(tissues, Share(0.0, 0.0))
    first, total = (np.reshape(shares, (-1, len(tissues))) for shares in (found.first_order, found.total_order))
    rows = zip(first, total, strict=True)
    return [_named(tissues, *next(rows)) if moves else none for moves in varying]


def _named(tissues: list[str], first: FloatArray, total: FloatArray) -> dict[str, Share]:
    return {name: Share(float(a), float(b)) for name, a, b in zip(tissues, first, total, strict=True)}


def _map(model: ConductivityModel) -> "xarray.Dataset":
    import xarray

    quantiles = qmc.Sobol(len(model.ranges), scramble=False).random(2 * _MAP_SAMPLES)[_MAP_SAMPLES:]
    values = model.magnitudes(model.sampled(quantiles))
    low, high = np.percentile(values, INTERVAL, axis=0)
    columns = {"mean": values.mean(axis=0), "sd": values.std(axis=0), "p5": low, "p95": high}
    notes = {"units": "V/m", "long_name": "|E| over the conductivities"}
    return xarray.Dataset({name: ("tet", one, notes) for name, one in columns.items()}, coords={"tet": model.region})


def _at_placements(
    sim: Simulator, coil: Coil, poses: list[Pose], target: Target, didt: float, progress: Progress
) -> FloatArray:
    """(p, m) measures of full solves at placements."""
    measures = TargetMeasures.at(sim.head, target)
    fields = sim.solve_many(coil, poses, didt, allow_collision=True, progress=progress)  # lifted clear already
    return np.array([measures.of_field(one, target) for one in fields])
