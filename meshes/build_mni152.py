"""Build the default head: `python meshes/build_mni152.py`.

Makes the label volume (`make_labels.py`; or takes a given one: 1 white matter, 2 gray matter, 3 CSF, 4 bone, 5 scalp,
MNI152 mm), meshes it, and writes `mni152.npz` (the head) and `mni152.json` (how it was made, and what it should
measure) beside this file.
"""

import argparse
import hashlib
import json
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import nibabel
import numpy as np
from make_labels import make_labels

from efield.head.lattice import Refinement, mesh_labels
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap
from efield.head.packed import write_packed
from efield.head.quality import mesh_quality

#: Along the left central sulcus from the leg area by the midline over the hand knob to the face area, MNI mm.
LEFT_STRIP_MM = np.array([[-6, -25, 70], [-22, -23, 66], [-37, -21, 58], [-46, -16, 48], [-52, -10, 38]], dtype=float)
STRIP_RADIUS_MM = 14.0
STRIP_FACTOR = 0.24
#: Wanted edge per tissue away from the strips, mm.
EDGE_MM = {1: 11.0, 2: 7.2, 3: 8.0, 4: 8.0, 5: 10.0}


def strips() -> list[Refinement]:
    """Both motor strips as overlapping spheres."""
    sides = (LEFT_STRIP_MM, LEFT_STRIP_MM * [-1, 1, 1])
    return [sphere for path in sides for sphere in Refinement.along(path, STRIP_RADIUS_MM, STRIP_FACTOR)]


def in_spheres(points_mm: np.ndarray, spheres: list[Refinement]) -> np.ndarray:
    """(n,) whether each point lies in any of the spheres."""
    inside = np.zeros(len(points_mm), dtype=bool)
    for sphere in spheres:
        inside |= ((points_mm - sphere.center_mm) ** 2).sum(axis=1) <= sphere.radius_mm**2
    return inside


def label_volumes(labels: np.ndarray, affine: np.ndarray, spheres: list[Refinement]) -> dict[str, dict[str, float]]:
    """Volume of each label in mm^3: overall and inside the refined spheres."""
    voxel = abs(np.linalg.det(affine[:3, :3]))
    places = np.argwhere(labels > 0)
    inside = in_spheres(places @ affine[:3, :3].T + affine[:3, 3], spheres)
    tags = labels[labels > 0]
    return {
        "overall": {str(t): float(voxel * np.sum(tags == t)) for t in np.unique(tags)},
        "refined": {str(t): float(voxel * np.sum(inside & (tags == t))) for t in np.unique(tags[inside])},
    }


def provenance(source: str, labels: np.ndarray, affine: np.ndarray, head: HeadMesh) -> dict[str, object]:
    """What the head was made from, with which settings, and the volumes it must reproduce."""
    spheres = strips()
    quality = mesh_quality(head)
    return {
        "made_by": "python meshes/build_mni152.py",
        "efield": version_of("efield"),
        "numpy": version_of("numpy"),
        "numba": version_of("numba"),
        "labels_sha256": hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest(),
        "labels_from": source,
        "edge_mm": {str(tag): edge for tag, edge in EDGE_MM.items()},
        "refined_factor": STRIP_FACTOR,
        "refined_spheres_mm": [[*s.center_mm.tolist(), s.radius_mm] for s in spheres],
        "label_volume_mm3": label_volumes(labels, affine, spheres),
        "mesh_volume_mm3": {str(tag): round(v, 1) for tag, v in quality.tissue_volume_mm3.items()},
        "nodes": quality.n_points,
        "tets": quality.n_tets,
        "min_dihedral_deg": round(quality.min_dihedral_deg, 2),
        "p5_dihedral_deg": round(quality.p5_dihedral_deg, 2),
        "p5_radius_ratio": round(quality.p5_radius_ratio, 3),
    }


def version_of(package: str) -> str:
    """Installed version, or "source checkout"."""
    try:
        return version(package)
    except ImportError:
        return "source checkout"


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Label volume and affine of a NIfTI file."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj).astype(np.uint8), image.affine


def main() -> None:
    """Read the labels, mesh, write, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "labels", type=Path, nargs="?", help="label volume (NIfTI); made from the templates if not given"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("mni152.npz"))
    options = parser.parse_args()
    start = time.perf_counter()
    labels, affine = read_labels(options.labels) if options.labels else make_labels(print)

    def show(done: int, total: int, stage: str) -> None:
        print(f"{time.perf_counter() - start:6.1f} s  {done} of {total}, {stage}", flush=True)

    mesh = mesh_labels(labels, affine, edge_mm=EDGE_MM, refine=strips(), progress=show)
    # The labels are in MNI152 millimeters already.
    head = write_packed(options.out, replace(mesh, mni=AffineMap(np.eye(4))))
    facts = provenance(options.labels.name if options.labels else "make_labels.py", labels, affine, head)
    options.out.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for name in ("nodes", "tets", "min_dihedral_deg", "label_volume_mm3", "mesh_volume_mm3"):
        print(name, facts[name])


if __name__ == "__main__":
    main()
