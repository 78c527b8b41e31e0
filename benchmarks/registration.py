"""How far `register_to_mni` misses the hand knob: `python benchmarks/registration.py [copies]`.

Two truths: copies of the MNI152 head, turned, scaled and bent by a known motion; and the fsaverage5 surfaces that come
with nilearn (extra `meshes`), whose affine to MNI152 is published by FreeSurfer
(https://surfer.nmr.mgh.harvard.edu/fswiki/CoordinateSystems, MNI305 to MNI152).
"""

import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
from scipy.spatial.transform import Rotation

from efield.head import registration
from efield.head.mesh import HeadMesh
from efield.head.surface import TriangleSurface
from efield.head.template import load_template

PLACES_MM = np.array([[-37.0, -21, 58], [37, -21, 58], [-6, -25, 70], [-55, -5, 38]])
PLACE_NAMES = "left hand, right hand, leg, face"
MNI305_TO_MNI152 = np.array(
    [[0.9975, -0.0073, 0.0176, -0.0429], [0.0146, 1.0009, -0.0024, 1.5496], [-0.0130, -0.0093, 0.9971, 1.1840]]
)


@dataclass(frozen=True)
class Motion:
    """A turn about a random axis, a scale per axis, a shift, and a sum of six sine waves 70 to 140 mm long."""

    linear: np.ndarray
    shift: np.ndarray
    waves: np.ndarray
    phases: np.ndarray
    amplitudes: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator, rms_mm: float, turn_deg: float, points: np.ndarray) -> "Motion":
        """With bends of `rms_mm` over the points."""
        axis = rng.normal(size=3)
        turn = Rotation.from_rotvec(np.radians(turn_deg) * axis / np.linalg.norm(axis)).as_matrix()
        linear, shift = turn * rng.uniform(0.9, 1.1, 3), rng.uniform(-25, 25, 3)
        waves = rng.normal(size=(6, 3))
        waves *= (2 * np.pi / rng.uniform(70, 140, 6) / np.linalg.norm(waves, axis=1))[:, None]
        phases, amplitudes = rng.uniform(0, 2 * np.pi, 6), rng.normal(size=(6, 3))
        bends = np.sin(points @ waves.T + phases) @ amplitudes
        return cls(linear, shift, waves, phases, amplitudes * rms_mm / np.sqrt((bends**2).sum(axis=1).mean()))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        bent = points + np.sin(points @ self.waves.T + self.phases) @ self.amplitudes
        return bent @ self.linear.T + self.shift


def deformed_copies(count: int, rms_mm: float, turn_deg: float) -> None:
    """Print the error at each place for some copies."""
    head, rng = load_template(), np.random.default_rng(5)
    chosen = np.isin(head.tissue, (1, 2))
    errors = []
    for _ in range(count):
        motion = Motion.random(rng, rms_mm, turn_deg, head.points[::50])
        copy = HeadMesh(points=motion(head.points), tets=head.tets[chosen], tissue=head.tissue[chosen])
        start = time.perf_counter()
        found = registration.register_to_mni(copy).mni
        seconds = time.perf_counter() - start
        errors.append(np.linalg.norm(found.to_head(PLACES_MM) - motion(PLACES_MM), axis=1))
        print(np.round(errors[-1], 1), f"mm; {found.description}; {seconds:.0f} s", flush=True)
    hands = np.array(errors)[:, :2]
    print(f"bent {rms_mm:g} mm, turned {turn_deg:g} deg: hand median {np.median(hands):.1f}, max {hands.max():.1f} mm")


def other_brain() -> None:
    """Print the errors on fsaverage5, where nilearn is installed."""
    package = find_spec("nilearn")
    if package is None or package.origin is None:
        print("fsaverage5: nilearn is not installed")
        return
    folder = Path(package.origin).parent / "datasets" / "data" / "fsaverage5"
    fixed = [registration._sheet(fsaverage(folder, kind)) for kind in ("pial", "white")]
    moving = [registration._without_fossa(registration._sheet(s)) for s in registration._brain(load_template())]
    matrix = registration._registered(moving, fixed)
    true = (PLACES_MM - MNI305_TO_MNI152[:, 3]) @ np.linalg.inv(MNI305_TO_MNI152[:, :3]).T
    error = np.linalg.norm(PLACES_MM @ matrix[:3, :3].T + matrix[:3, 3] - true, axis=1)
    print("fsaverage5:", np.round(error, 1), "mm")


def fsaverage(folder: Path, kind: str) -> TriangleSurface:
    """Both hemispheres of a surface of fsaverage5."""
    images = [nibabel.load(folder / f"{kind}_{side}.gii.gz") for side in ("left", "right")]
    halves = [image.agg_data(("pointset", "triangle")) for image in images]
    triangles = np.concatenate([halves[0][1], halves[1][1] + len(halves[0][0])]).astype(np.int32)
    return TriangleSurface(np.concatenate([half[0] for half in halves]).astype(np.float64), triangles)


if __name__ == "__main__":
    copies = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"errors at {PLACE_NAMES}")
    other_brain()
    for bend, turn in ((0.0, 15.0), (2.0, 15.0), (4.0, 15.0), (4.0, 35.0)):
        deformed_copies(copies, bend, turn)
