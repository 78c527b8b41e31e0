"""How sure the measures of a placement are: conductivity, placement and mesh, apart and together.

Conductivities vary over published ranges, placements by the technique that holds the coil. Where published ranges are
wide, intervals are: they are ranges of belief, not of this person.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.head.tissue import tissue_name
from efield.planning.conductivity_model import ConductivityModel
from efield.planning.displaced import displaced_measures
from efield.planning.misplacement import Misplacement, misplacement
from efield.planning.sobol import Design, Share, shares
from efield.planning.uncertain_measures import INTERVAL, Uncertainty
from efield.targeting.given import simulator
from efield.targeting.measures import MEASURES, unknown
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import xarray


#: Fewer samples of the conductivities say nothing.
LEAST_SAMPLES: Final = 64

#: Samples that maps are of.
_MAP_SAMPLES: Final = 256

#: Displaced placements that are told by solves, or by a basis, of which so many may be outside and are solved.
_SOLVED: Final = 48
_OF_BASIS: Final = 1024
_OUTSIDE: Final = 48


def uncertainty(
    sim: Simulator | ReducedBasis,
    coil: CoilLike,
    pose: Pose,
    target: Place,
    conductivity: Mapping[Any, Any] | None = None,
    *,
    placement: Misplacement | str | None = None,
    didt: float = 1e6,
    samples: int = 1 << 17,
    placements: int | None = None,
    mesh_error: Mapping[str, float] | None = None,
    region_mm: float | None = None,
    allow_collision: bool = False,
    progress: Progress = None,
) -> Uncertainty:
    """How sure the measures at a target are.

    Parameters
    ----------
    sim : Simulator or ReducedBasis
        A basis that holds the target answers displaced placements; its simulator solves all else.
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
    placements : int, optional
        Number of displaced placements, the precision of what placement does: 48, or 1024 with a basis.
    mesh_error : mapping of str to float, optional
        Numerical error of measures by name; of those that are not answered here it is passed over.
    region_mm : float, optional
        Draw a map of gray and white matter within this distance of the target.
    allow_collision : bool
        As in `Simulator.solve`, for the pose as planned.
    progress : bool or callable, optional

    Raises
    ------
    InputError
        If a tissue, technique or measure is unknown, a number is out of range, or a basis does not hold the target or
        more than 48 of the placements.
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
    engine, sim = sim, simulator(sim.sim if isinstance(sim, ReducedBasis) else sim)
    place, coil = target_of(sim.head, target), the_coil(coil)
    held = None if placement is None else misplacement(placement)
    if strange := [name for name in mesh_error or {} if name not in MEASURES]:
        raise unknown(strange[0], MEASURES)
    number, drawn = _number(engine, placements), checks.whole("samples", samples, LEAST_SAMPLES)
    options: dict[str, Any] = {"didt": didt, "region_mm": region_mm, "allow_collision": allow_collision}
    model = ConductivityModel.build(sim, coil, pose, place, conductivity, **options, progress=progress)
    names = model.measures.names
    displaced: dict[str, FloatArray] = {}
    if held is not None:
        poses = held.placements(sim.head, coil, pose, number)
        displaced = dict(zip(names, _at_placements(engine, coil, poses, place, didt, progress).T, strict=True))
    values, sobol = _sampled(model, drawn)
    return Uncertainty(
        nominal=dict(zip(names, model.measured(model.nominal[None])[0].tolist(), strict=True)),
        by_conductivity=dict(zip(names, values.T, strict=True)),
        by_placement=displaced,
        mesh_error={name: float(error) for name, error in (mesh_error or {}).items() if name in names},
        sobol=dict(zip(names, sobol, strict=True)),
        ranges=model.ranges,
        placement=held,
        model_error=model.error,
        map=_map(model) if len(model.region) else None,
    )


def _number(engine: Simulator | ReducedBasis, placements: int | None) -> int:
    """How many placements are displaced; a basis for the cortex's middle is refused."""
    if isinstance(engine, ReducedBasis) and engine.outputs.at != "tets":
        raise InputError('the basis must be one at="tets", whose measures are the uncertainty\'s; instead at="surface"')
    usual = _OF_BASIS if isinstance(engine, ReducedBasis) else _SOLVED
    return usual if placements is None else checks.whole("placements", placements, 2)


def _sampled(model: ConductivityModel, samples: int) -> tuple[FloatArray, list[dict[str, Share]]]:
    """Measures (2 n, m) at two independent designs of the conductivities, and Sobol' shares of each measure."""
    tissues = [tissue_name(tag) for tag in model.ranges]
    design = Design.of(len(tissues), 1 << max(5, int(np.log2(samples / (2 + len(tissues)))))).at(model.sampled)
    first, second = model.measured(design.first), model.measured(design.second)
    mixed = np.array([model.measured(part) for part in design.mixed])
    return np.concatenate([first, second]), shares(first, second, mixed, tissues)


def _map(model: ConductivityModel) -> "xarray.Dataset":
    import xarray
    from scipy.stats import qmc  # half a second to import

    quantiles = qmc.Sobol(len(model.ranges), scramble=False).random(2 * _MAP_SAMPLES)[_MAP_SAMPLES:]
    values = model.magnitudes(model.sampled(quantiles))
    low, high = np.percentile(values, INTERVAL, axis=0)
    columns = {"mean": values.mean(axis=0), "sd": values.std(axis=0), "p5": low, "p95": high}
    notes = {"units": "V/m", "long_name": "|E| over the conductivities"}
    return xarray.Dataset({name: ("tet", one, notes) for name, one in columns.items()}, coords={"tet": model.region})


def _at_placements(
    engine: Simulator | ReducedBasis, coil: Coil, poses: list[Pose], target: Target, didt: float, progress: Progress
) -> FloatArray:
    """(p, m) measures at placements, by a basis, or by full solves and sums of them."""
    if isinstance(engine, ReducedBasis):
        return _by_basis(engine, coil, poses, target, didt)
    return displaced_measures(engine, coil, poses, target, didt, progress)[0]


def _by_basis(basis: ReducedBasis, coil: Coil, poses: list[Pose], target: Target, didt: float) -> FloatArray:
    outside = [by for pose in poses if (by := basis.outside(pose, coil))]
    if len(outside) > _OUTSIDE:
        raise InputError(
            f"at most {_OUTSIDE} of the displaced placements may lie outside what the basis is certified for; instead "
            f"{len(outside)} of {len(poses)} do, such as by {outside[0]}: build it with a larger radius_mm and "
            "tilt_deg, or give the simulator"
        )
    return np.column_stack(list(basis.measures(poses, didt, target, coil=coil, outside="solve").values()))
