"""From where a picture is taken: parallel projections, so that a scale bar holds everywhere in them."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from efield.ground import checks
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh

#: How the whole head is seen: so far to the stimulated side, to the front and from above (RAS fractions).
_OBLIQUE: Final = (0.62, 0.60, 0.50)

#: Half of the close-up's height, mm: a hand knob with the gyri on both of its sides.
_CLOSE_HALF_MM: Final = 33.0

#: A surface that looks this much upward (cosine) is shown with the front of the head up, like an axial slice; one
#: that looks more sideways with its top up.
_UPWARD: Final = 0.6

#: Up in a picture is the head's long axis, or leans on it, from this cosine on.
_UPRIGHT: Final = 0.3

_ANATOMICAL: Final = {"R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1), "L": (-1, 0, 0), "P": (0, -1, 0), "I": (0, 0, -1)}


@dataclass(frozen=True, eq=False)
class View:
    """A parallel projection.

    Parameters
    ----------
    focus_mm : (3,) array_like
        The point in the middle of the picture.
    toward : (3,) array_like
        Direction from there to the viewer.
    up : (3,) array_like
        Direction that is up in the picture; made perpendicular to `toward`.
    half_height_mm : float
        Half of the picture's height.
    """

    focus_mm: NDArray[np.float64]
    toward: NDArray[np.float64]
    up: NDArray[np.float64]
    half_height_mm: float

    def __post_init__(self) -> None:
        toward = checks.unit_vector("toward", self.toward)
        up = checks.vector("up", self.up)
        object.__setattr__(self, "focus_mm", checks.vector("focus_mm", self.focus_mm))
        object.__setattr__(self, "toward", toward)
        object.__setattr__(self, "up", checks.unit_vector("up", up - (up @ toward) * toward))
        object.__setattr__(self, "half_height_mm", checks.positive("half_height_mm", self.half_height_mm))

    @property
    def right(self) -> NDArray[np.float64]:
        """(3,) direction that is to the right in the picture."""
        return np.asarray(np.cross(self.up, self.toward))

    def in_picture(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) coordinates to the right, up and toward the viewer, mm from the focus."""
        axes = np.column_stack([self.right, self.up, self.toward])
        return np.asarray((checks.vectors("points_mm", points_mm) - self.focus_mm) @ axes)

    def compass(self) -> dict[str, NDArray[np.float64]]:
        """(2,) picture directions, right and up, of the anatomical axes that lie best in the picture.

        One of R/L, A/P, S/I is left out, the one that points most at the viewer; of each pair the letter
        whose axis points away from the other letter's side is chosen so that it is visible (right or up first).
        """
        axes = {name: np.array([np.dot(d, self.right), np.dot(d, self.up)]) for name, d in _ANATOMICAL.items()}
        pairs = sorted(("RL", "AP", "SI"), key=lambda pair: float(np.linalg.norm(axes[pair[0]])))
        return {pair[0]: axes[pair[0]] for pair in sorted(pairs[1:])}

    def aim(self, plotter: Any) -> None:
        """Point the active camera of a `pyvista.Plotter` this way."""
        camera = plotter.camera
        camera.focal_point = self.focus_mm
        camera.position = self.focus_mm + 500.0 * self.toward
        camera.up = self.up
        camera.parallel_projection = True
        camera.parallel_scale = self.half_height_mm
        plotter.reset_camera_clipping_range()


def outward_at(head: HeadMesh, place_mm: NDArray[np.float64], pose: Pose | None) -> NDArray[np.float64]:
    """(3,) direction out of the head at a place: against the coil's axis, or away from the head's middle."""
    if pose is not None:
        return np.asarray(-pose.z)
    middle = (head.points.min(axis=0) + head.points.max(axis=0)) / 2
    away = place_mm - middle
    # A place in the very middle has no outside; from above is as good as any.
    return checks.unit_vector("outward", away) if np.linalg.norm(away) > 1e-6 else np.array([0.0, 0.0, 1.0])


def close_view(place_mm: NDArray[np.float64], outward: NDArray[np.float64]) -> View:
    """The cortex around a place, as seen from the coil."""
    up = (0.0, 1.0, 0.0) if outward[2] > _UPWARD else (0.0, 0.0, 1.0)
    return View(place_mm, outward, np.asarray(up), _CLOSE_HALF_MM)


def oblique(outward: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) toward a viewer in front of the stimulated side and above; `outward` decides between left and right."""
    return np.array(_OBLIQUE) * (1.0 if outward[0] > 0 else -1.0, 1.0, 1.0)


def fitted_view(
    shown_mm: NDArray[np.float64], toward: NDArray[np.float64], up: NDArray[np.float64], aspect: float
) -> View:
    """Everything shown, from a direction.

    Parameters
    ----------
    shown_mm : (n, 3) float
        Points that must be in the picture.
    toward, up : (3,) float
        As in `View`.
    aspect : float
        Width of the picture over its height.
    """
    trial = View(np.zeros(3), toward, up, 1.0)
    spread = trial.in_picture(shown_mm)
    low, high = spread.min(axis=0), spread.max(axis=0)
    focus = np.column_stack([trial.right, trial.up, trial.toward]) @ ((low + high) / 2)
    half = max((high[1] - low[1]) / 2, (high[0] - low[0]) / 2 / aspect)
    return View(focus, toward, up, float(1.04 * half))


def turned(view: View, angle_deg: float) -> View:
    """The view from another side: turned about the direction that is up in it, counter-clockwise seen from above."""
    # About the head's long axis where it is up or nearly so, so that a film keeps the head upright.
    axis = np.array([0.0, 0.0, 1.0]) if view.up[2] > _UPRIGHT else view.up
    turn = Rotation.from_rotvec(np.radians(angle_deg) * axis).as_matrix()
    return View(view.focus_mm, turn @ view.toward, turn @ view.up, view.half_height_mm)
