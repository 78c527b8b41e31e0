"""What the mesh does to the measures of an engine: estimated at one placement, which is solved fully.

A basis and adjoint solves answer without a field, and a sweep has too many to look at each; but how far the mesh leads
a measure astray is a matter of head, mesh and target, and is about the same share of it over all placements.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.pose import Pose
from efield.sweeping.engines import UNIT_DIDT, Engine, columns, simulator_of
from efield.targeting.errors import estimated_errors
from efield.targeting.field import EField
from efield.targeting.measures import MIDSURFACE, TargetMeasures, on_midsurface
from efield.targeting.named import CoilLike
from efield.targeting.naming import Place, target_of
from efield.targeting.targets import Target

#: What placements are ranked by unless asked otherwise: E along the target's preferred direction, which is what
#: excites; without a direction the size of the field there.
_PREFERRED: Final = ("along", "mean_magnitude", "mean_vector")


def mesh_errors(engine: Engine, coil: CoilLike, pose: Pose, target: Place, didt: float = UNIT_DIDT) -> dict[str, float]:
    """Estimates of what the mesh does to the measures of an engine, from a full solve of one placement.

    Parameters
    ----------
    engine : Simulator, ReducedBasis or Reciprocal
    coil : Coil, or its name or file
    pose : Pose
        Any: also one at which nobody holds a coil.
    target : Target, str or (3,) array_like
    didt : float, A/s

    Returns
    -------
    dict of str to float
        For each of the engine's measures, in its unit (see `efield.sweeping.engines.columns`); nan where it has no
        value. To them comes, in a basis, what its certificate says.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, adjoint = ef.load_coil("d70"), ef.reciprocal(ef.Simulator(head), "m1-hand-left")
    >>> pose = ef.place_coil(head, "m1-hand-left", coil=coil)
    >>> 0 < ef.mesh_errors(adjoint, coil, pose, "m1-hand-left")["along"] < 0.1
    True
    """
    spot = target_of(simulator_of(engine).head, target)
    field = simulator_of(engine).solve(coil, pose, didt, allow_collision=True)
    return errors_of(field, spot, columns(engine, spot))


def errors_of(field: EField, target: Target, names: Iterable[str]) -> dict[str, float]:
    """Estimates of the mesh's errors in measures of a full solve at a target, by name; nan where there is none."""
    names = list(names)
    measures = TargetMeasures.at(field.head, target)
    values = dict(zip(measures.names, map(float, measures.of_field(field, target)), strict=True))
    if any(name.startswith(MIDSURFACE) for name in names):
        values |= on_midsurface(field, target)
    found = estimated_errors(field, target, {name: value for name, value in values.items() if not np.isnan(value)})
    return {name: found.get(name, np.nan) for name in names}


def usual_measure(names: Iterable[str]) -> str:
    """What placements are ranked by unless asked otherwise, of measures with these names; else the first of them."""
    names = list(names)
    ranked = (where + name for name in _PREFERRED for where in ("", MIDSURFACE))
    return next((name for name in ranked if name in names), names[0])


def best_placement(table: Mapping[str, NDArray[np.floating[Any]]]) -> int:
    """Number of the placement that is best by the usual measure; the first where none has a value."""
    values = table[usual_measure(table)]
    return int(np.argmax(np.where(np.isnan(values), -np.inf, values)))
