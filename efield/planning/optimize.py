"""The best placement of a coil for a target.

Some dozen placements are solved to a loose tolerance, and tell the field of all others (`Response`). The best of what
is predicted is solved and added, until what is predicted of the best is what is solved and does not grow. Winners are
solved to the simulator's tolerance; the numbers that are given are theirs.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from efield.basis.reduced_basis import ReducedBasis
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.progress import Progress, told
from efield.planning.goals import Goal, goal_error
from efield.planning.optimum import Optimum
from efield.planning.placement_fields import FromBasis, PlacementFields, Solves
from efield.planning.response import PrimaryProbe
from efield.planning.search import AS_GOOD, Found, Search
from efield.planning.search_space import AXES, SearchSpace
from efield.planning.words import GOALS
from efield.targeting.errors import unseen
from efield.targeting.given import simulator
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator, evaluator, worth_storing
from efield.targeting.targets import Target

#: The search's own solves stop at this relative residual: E at the target is then within 1e-4, the goal within 2e-5.
_SEARCH_TOL: Final = 1e-4

#: So many placements are solved, about.
_EXPECTED: Final = 48

#: Where nobody asks for anything else: the handle's angle of the rule of thumb.
_PLAIN_DEG: Final = 45.0


def optimize(
    engine: Simulator | ReducedBasis,
    coil: CoilLike,
    target: Place,
    goal: str = "magnitude",
    *,
    distance_mm: float = 4.0,
    radius_mm: float = 20.0,
    tilt_deg: float = 10.0,
    spare: Target | str | Sequence[Place] = (),
    forbidden: Sequence[Target | tuple[ArrayLike, float]] = (),
    didt: float = 1e6,
    progress: Progress = None,
) -> Optimum:
    """Look for the best placement of a coil.

    Parameters
    ----------
    engine : Simulator or ReducedBasis
        A basis answers the search if it holds the target; its simulator solves the winners.
    coil : Coil, or its name or file
    target : Target, str or (3,) array_like
    goal : {"magnitude", "along", "focality"}
        Mean |E| in the target; mean E along its direction; or mean |E| in the target over that in the rest of gray
        matter (or in the regions to spare).
    distance_mm : float
        Smallest gap between casing and scalp: hair, a cap.
    radius_mm, tilt_deg : float
        How far the search goes from over the target, and from tangential.
    spare : Target or its name, or several
    forbidden : sequence of Target or ((3,), float)
        Spheres (mm) that nothing of the casing may enter; a target with a region (a mask of the scalp) may not be
        covered either.
    didt : float, A/s, > 0
        At which values are given; which way the current runs is the placement's.
    progress : bool or callable, optional

    Raises
    ------
    InputError
        If the goal is unknown or needs a direction, or the zones leave no placement.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil = ef.Coil.from_dipoles([[-40, 0, -10], [40, 0, -10]], [[0, 0, 0.1], [0, 0, -0.1]])
    >>> best = ef.optimize(ef.Simulator(head), coil, "m1-hand-left", "along", radius_mm=6, tilt_deg=0)
    >>> bool(best.gain > -1e-3)
    True
    """
    sim = simulator(engine._answers.sim if isinstance(engine, ReducedBasis) else engine)
    spot = target_of(sim.head, target)
    rate, coil = checks.positive("didt", checks.rate("didt", didt)), the_coil(coil)
    limits: dict[str, Any] = {"radius_mm": radius_mm, "tilt_deg": tilt_deg, "distance_mm": distance_mm}
    spared = [target_of(sim.head, one) for one in ([spare] if isinstance(spare, Target | str) else spare)]
    space = SearchSpace(sim.head, coil, spot, **limits, forbidden=forbidden)
    wanted = Goal.of(sim.head, goal, spot, spared, whole=False)
    exact = not worth_storing(len(sim.problem.nodes_mm), _EXPECTED)
    primary = evaluator(coil, exact, sim.cache)
    fields: PlacementFields = Solves(sim, coil, exact, wanted.tets, _SEARCH_TOL)
    if isinstance(engine, ReducedBasis):
        fields = FromBasis(engine, coil, wanted.tets)
    with told(progress, "looking for the best", "solves") as tell:
        found = Search(space, wanted, fields, PrimaryProbe(sim.head, space.foot, spot, primary), tell).run()
        plain = place_coil(sim.head, spot, _PLAIN_DEG, space.distance_mm, coil=coil)
        stated = Goal.of(sim.head, goal, spot, spared, whole=True)
        values, first, both = Solves(sim, coil, exact, stated.tets).verified([*found.poses, plain], stated)
        error = goal_error(stated, both, unseen(sim.head, spot))
        scale = 1.0 if goal == "focality" else rate / 1e6
        return _verified(found, plain, goal, scale * values, first, scale * error)


def _verified(found: Found, plain: Pose, goal: str, values: FloatArray, first: int, mesh_error: float) -> Optimum:
    """What a search has found, with the goals (p + 1,) of full solves of its p optima and of the plain placement."""
    others = [k for k in np.argsort(values[:-1])[::-1].tolist() if k != first]
    best = float(values[first])
    place = dict(zip(AXES, found.places[first].tolist(), strict=True))
    return Optimum(
        goal=goal,
        unit=GOALS[goal],
        pose=found.poses[first],
        place=place | {"angle_deg": place["angle_deg"] % 360.0},
        value=best,
        mesh_error=mesh_error,
        gain=float(best / values[-1] - 1) if values[-1] > 0 else np.inf,
        plain=plain,
        alternatives=[(found.poses[k], float(values[k])) for k in others if values[k] >= AS_GOOD * best],
        tolerance_mm=found.tolerances[0],
        tolerance_deg=found.tolerances[1],
        loss=found.loss,
        predicted_error=found.predicted_error,
        solves=found.solves + len(values),
    )
