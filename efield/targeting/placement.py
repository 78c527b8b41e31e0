"""Where and how a coil is held: from a place on the head, an angle and a distance to a pose."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from efield.coils.model import Coil, SampledField
from efield.coils.polarity import turn_deg
from efield.coils.primary import vector_potential
from efield.ground import checks
from efield.ground.errors import CollisionError, OutsideHeadError
from efield.ground.pose import Pose
from efield.head.closest import signed_distance
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import Surface, scalp
from efield.targeting.aim import best_angle_deg, checked_angle
from efield.targeting.collision import clearance_mm, scalp_distance, settle
from efield.targeting.named import CoilLike, HeadLike, the_coil, the_head
from efield.targeting.naming import place_of, target_of
from efield.targeting.tangent import medial_sign, tangent_direction, y_axis
from efield.targeting.targets import Target

#: The scalp's normal is averaged with a Gaussian of this width: it then reaches as far as a 70 mm figure-8's wings
#: rest on the head, so a bump or an ear does not tilt the coil (mm).
FOOTPRINT_SIGMA_MM: Final = 20.0

#: A requested place farther than this from the scalp is a mistake, not a target (mm).
_FARTHEST_PLACE_MM: Final = 60.0

#: The coil's axis passes this near to the place it is held over (mm), or as near as this many steps bring it.
_CLOSE_ENOUGH_MM: Final = 0.2
_MOST_SLIDES: Final = 20


@once_per_head
def scalp_tree(head: HeadMesh) -> cKDTree:
    """Tree of the centers of a head's scalp triangles, made once."""
    return cKDTree(scalp(head).centers_mm)


def place_coil(
    head: HeadLike,
    over: Target | str | ArrayLike,
    angle_deg: float | str = 45.0,
    distance_mm: float = 4.0,
    *,
    coil: CoilLike | None = None,
    current: str = "normal",
) -> Pose:
    """Hold a coil tangentially over a place on the head.

    The coil's center is put over the scalp point whose smoothed normal passes nearest to the place asked for, so that
    the coil's axis points at it. The normal is averaged over the coil's footprint.

    Parameters
    ----------
    head : HeadMesh, or its name, file or folder
    over : Target, str or (3,) array_like
        What the coil is held over: a target, or its name such as ``"m1-hand-left"``; an electrode such as ``"C3"``, of
        the head's own caps if it has them, else of the 10-10 system, or in a file (``"cap.csv:C3"``); or a point in
        head coordinates (mm), as ``(x, y, z)`` or ``"x,y,z"``.
    angle_deg : float or "best"
        Direction of the induced current under the coil's center in the scalp's plane: 0 = anterior, 45 = anterior and
        medial, 90 = medial; "best" is the target's preferred direction, seen in that plane. A coil that induces along
        its y axis then has its handle straight back at 0, back and lateral at 45; one that induces along -y the other
        way round. Of a coil without one direction (a round one), and without a coil, it is the direction of the y axis.
    distance_mm : float
        Smallest gap between the coil's casing and the scalp (hair, cap), > 0, wherever it is. Of a coil whose casing is
        not known, neither its wires or dipoles nor the origin of its frame are nearer.
    coil : Coil, or its name or file, optional
        By default a flat plate of 170 x 90 mm that induces along y.
    current : {"normal", "reverse"}
        Direction of the coil's current. "reverse" turns the handle to the other side: the induced current runs where
        `angle_deg` says. Give the same to `Simulator.solve`.

    Returns
    -------
    Pose
        Coil to head. The origin of the coil frame is on the casing's head-side face: the winding lies farther out, by
        the coil's casing thickness and half the height of its wire.

    Raises
    ------
    InputError
        If the distance is not positive, lengths look like meters, there is no such target, electrode or current, or the
        target has no direction for "best".
    OutsideHeadError
        If the place is not near the head.
    CollisionError
        If no place on the coil's axis has that gap.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil = ef.load_coil("d70")
    >>> pose = ef.place_coil(head, over="m1-hand-left", angle_deg=45, distance_mm=4, coil=coil)
    >>> float(np.linalg.norm(pose.center_mm).round())
    89.0
    """
    gap = checks.length_mm("distance_mm", distance_mm)
    angle = checked_angle("angle_deg", angle_deg)
    head, coil = the_head(head), None if coil is None else the_coil(coil)
    place = place_of(head, over)
    surface = scalp(head)
    foot, outward = scalp_point_over(surface, scalp_tree(head), place)
    medial = medial_sign(foot)
    if isinstance(angle, str):
        angle = best_angle_deg(target_of(head, over, "over"), outward, medial)
    induced = tangent_direction(outward, angle, medial)
    pose = Pose.from_axes(foot + gap * outward, y_axis(induced, -outward, turn_deg(coil, current)), -outward)
    return settle(head, coil, pose, gap)


def scalp_point_over(
    surface: Surface, tree: cKDTree, place_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The point of the scalp from which the smoothed inward normal passes nearest to a place, and the outward normal.

    Slides along the scalp until the normal points at the place; the steps shrink geometrically on a scalp whose radius
    of curvature exceeds the place's depth.

    Parameters
    ----------
    surface : Surface
        The scalp.
    tree : cKDTree
        Of its triangles' centers.
    place_mm : (3,) float

    Raises
    ------
    OutsideHeadError
        If the place is more than 60 mm from the scalp.
    """
    nearest_mm, nearest = tree.query(place_mm)
    if nearest_mm > _FARTHEST_PLACE_MM:
        raise OutsideHeadError(
            f"the place to hold the coil over must lie within {_FARTHEST_PLACE_MM:g} mm of the scalp; "
            f"instead ({place_mm[0]:.0f}, {place_mm[1]:.0f}, {place_mm[2]:.0f}) is {nearest_mm:.0f} mm away"
        )
    foot = surface.centers_mm[nearest]
    for _ in range(_MOST_SLIDES):
        outward = smoothed_normal(surface, tree, foot)
        miss = (place_mm - foot) - ((place_mm - foot) @ outward) * outward
        if np.linalg.norm(miss) < _CLOSE_ENOUGH_MM:
            break
        foot = signed_distance(surface).find((foot + 0.7 * miss)[None])[0][0]
    return foot, smoothed_normal(surface, tree, foot)


def smoothed_normal(surface: Surface, tree: cKDTree, point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scalp's outward normal around a point, averaged over a coil's footprint.

    Triangle normals are weighted by area and by a Gaussian of `FOOTPRINT_SIGMA_MM`, cut at two of its widths; triangles
    that face away from the local side (the inside of an ear) do not count.
    """
    near = np.array(tree.query_ball_point(point_mm, 2 * FOOTPRINT_SIGMA_MM), dtype=np.intp)
    distance = np.linalg.norm(surface.centers_mm[near] - point_mm, axis=1)
    weight = surface.areas[near] * np.exp(-0.5 * (distance / FOOTPRINT_SIGMA_MM) ** 2)
    normals = surface.triangle_normals[near]
    mean = weight @ normals
    weight = weight * (normals @ mean > 0)
    mean = weight @ normals
    return np.asarray(mean / np.linalg.norm(mean))


def check_clear(head: HeadMesh, coil: Coil, pose: Pose) -> None:
    """Refuse a pose that puts any of the coil's casing or winding inside the head.

    Raises
    ------
    CollisionError
        With how far the coil reaches in.
    """
    clearance = clearance_mm(head, coil, pose)
    if clearance < 0:
        raise CollisionError(
            f"the coil must stay outside the head; instead {coil.name} is inside by {-clearance:.2g} mm: "
            "move the pose outward along its z axis, or check that z points into the head"
        )


def check_covers(head: HeadMesh, coil: Coil, pose: Pose) -> None:
    """Refuse a coil whose sampled field does not reach all of the head, before anything is prepared for it.

    Raises
    ------
    InputError
        With the range that is missing.
    """
    if any(isinstance(source, SampledField) for source in coil.sources):
        vector_potential(coil, pose.to_coil(head.points))


def gap_below_center(head: HeadMesh, pose: Pose) -> float:
    """Distance from the origin of a coil's frame to the scalp along the coil's axis or nearer (mm), never negative."""
    return float(max(scalp_distance(head)(pose.center_mm[None])[0], 0.0))
