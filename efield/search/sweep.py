"""`sweep`: measures of many placements at a target, by a full solve of each or by a reduced basis."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.search.basis import ReducedBasis
from efield.search.fingerprint import coil_digest, fingerprints
from efield.search.measures import MEASURES, Measures
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import xarray


def sweep(
    engine: Simulator | ReducedBasis,
    coil: Coil,
    poses: Iterable[Pose],
    *,
    target: Target,
    didt: float = 1e6,
    progress: Callable[[int, int], None] | None = None,
) -> "xarray.Dataset":
    """What each of many placements does at a target.

    Parameters
    ----------
    engine : Simulator or ReducedBasis
        Full solves, or a basis, which refuses placements it is not certified for.
    coil : Coil
        That of the basis, if one is given.
    poses : iterable of Pose
    target : Target
    didt : float, A/s
    progress : callable, optional
        Called with the placements done and their number; after each one of a Simulator, at the end with a basis.

    Returns
    -------
    xarray.Dataset
        The measures of `efield.search.measures` over the dimension `placement`, the poses as `matrix` (placement, 4,
        4), and where everything comes from in `attrs`. Units are in each variable's `attrs["units"]`.

    Raises
    ------
    InputError
        If there are no poses, the basis belongs to another coil, or a pose lies outside its region.
    """
    rate, all_poses = checks.number("didt", didt), list(poses)
    if not all_poses:
        raise InputError("poses must hold at least one placement; instead it is empty")
    if isinstance(engine, ReducedBasis):
        if coil_digest(coil) != engine.settings["coil"]:
            raise InputError("coil must be the one the basis was built for; build a basis for this coil")
        sim, name = engine.sim, "reduced"
        table = engine.metrics(all_poses, rate, target)
        if progress is not None:
            progress(len(all_poses), len(all_poses))
    else:
        sim, name = engine, "full"
        table = _solved(engine, coil, all_poses, target, rate, progress)
    provenance: dict[str, Any] = fingerprints(sim, coil) | {
        "engine": name,
        "coil_name": coil.name,
        "target": target.name,
        "target_center_mm": target.center_mm.tolist(),
        "target_radius_mm": target.radius_mm,
        "didt": rate,
        "solver_tol": sim.problem.tol,
        "field": "per tetrahedron, not recovered",
    }
    if isinstance(engine, ReducedBasis):
        provenance["largest_certified_error"] = engine.certificate.field.max
    return _dataset(table, all_poses, provenance)


def _solved(
    sim: Simulator,
    coil: Coil,
    poses: list[Pose],
    target: Target,
    didt: float,
    progress: Callable[[int, int], None] | None,
) -> dict[str, NDArray[np.float64]]:
    tets = target.tets(sim.head)
    measures = Measures(sim.head.volumes[tets], target.direction)
    rows = []
    for field in sim.solve_many(coil, poses, didt):
        rows.append(measures.of(field.e[tets]))
        if progress is not None:
            progress(len(rows), len(poses))
    return dict(zip(measures.names, np.array(rows).T, strict=True))


def _dataset(table: dict[str, NDArray[np.float64]], poses: list[Pose], provenance: dict[str, Any]) -> "xarray.Dataset":
    import xarray

    import efield

    variables: dict[str, Any] = {
        name: ("placement", values, {"units": MEASURES[name][0], "long_name": MEASURES[name][1]})
        for name, values in table.items()
    }
    matrices = np.array([pose.matrix for pose in poses])
    note = {"units": "mm", "long_name": "pose, coil to head: columns x, y, z, center"}
    variables["matrix"] = (("placement", "row", "column"), matrices, note)
    attributes = provenance | {"efield": efield.__version__, "didt_units": "A/s"}
    return xarray.Dataset(variables, attrs=attributes)
