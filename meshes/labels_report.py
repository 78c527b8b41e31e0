"""Measurements on a label volume: what must be true of a head before it is meshed."""

from __future__ import annotations

import numpy as np
from labels_brain import component_sizes
from scipy import ndimage

NAMES = {1: "white matter", 2: "gray matter", 3: "fluid", 4: "skull", 5: "scalp"}
HAND_KNOB_MM = {"left": (-37.0, -21.0, 58.0), "right": (37.0, -21.0, 58.0)}
TOP_Z_MM = 30.0


def measure_head(labels: np.ndarray, affine: np.ndarray) -> dict[str, object]:
    """Volumes, thicknesses and distances of a 1 mm label volume, by the name they are reported under."""
    return {
        **_volumes(labels),
        **_shells(labels, affine),
        **_cortex(labels, affine),
        **_integrity(labels),
    }


def report_lines(measures: dict[str, object]) -> list[str]:
    """One aligned text line per measurement."""
    width = max(map(len, measures))
    return [f"{name:<{width}}  {value}" for name, value in measures.items()]


def _volumes(labels: np.ndarray) -> dict[str, object]:
    counts = np.bincount(labels.ravel(), minlength=6)
    return {f"{name} (cm3)": round(counts[tag] / 1e3, 1) for tag, name in NAMES.items()}


def _percentiles(values: np.ndarray) -> str:
    low, q05, median, q95, high = np.percentile(values, [0, 5, 50, 95, 100])
    return f"min {low:.1f}, 5% {q05:.1f}, median {median:.1f}, 95% {q95:.1f}, max {high:.1f}"


def _border(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask)


def _shells(labels: np.ndarray, affine: np.ndarray) -> dict[str, object]:
    """Skull and scalp seen from their outer borders; half a voxel goes to either side of a border."""
    z = affine[2, 3] + np.arange(labels.shape[2])
    cavity = (labels > 0) & (labels <= 3)
    bone = (labels > 0) & (labels <= 4)
    skin = labels > 0
    to_cavity = ndimage.distance_transform_edt(~cavity)[_border(bone)]
    bone_z = np.broadcast_to(z, bone.shape)[_border(bone)]
    skin_z = np.broadcast_to(z, skin.shape)[_border(skin)]
    to_bone = ndimage.distance_transform_edt(~bone)[_border(skin)]
    to_brain = ndimage.distance_transform_edt(~((labels == 1) | (labels == 2)))[_border(cavity)]
    cavity_z = np.broadcast_to(z, cavity.shape)[_border(cavity)]
    return {
        "fluid over the brain, z > 30 (mm)": _percentiles(to_brain[cavity_z > TOP_Z_MM]),
        "skull, everywhere (mm)": _percentiles(to_cavity),
        "skull, z > 30 (mm)": _percentiles(to_cavity[bone_z > TOP_Z_MM]),
        "scalp, z > -60 (mm)": _percentiles(to_bone[skin_z > -60.0]),
        "scalp, z > 30 (mm)": _percentiles(to_bone[skin_z > TOP_Z_MM]),
    }


def _cortex(labels: np.ndarray, affine: np.ndarray) -> dict[str, object]:
    from_white = ndimage.distance_transform_edt(labels != 1)
    from_fluid = ndimage.distance_transform_edt(labels != 3)
    z = affine[2, 3] + np.arange(labels.shape[2])
    gray = (labels == 2) & (z > TOP_Z_MM)
    thickness = (from_white + from_fluid - 1.0)[gray & (np.abs(from_white - from_fluid) <= 1.0)]
    measures: dict[str, object] = {"gray thickness, z > 30 (mm)": _percentiles(thickness)}
    for side, center in HAND_KNOB_MM.items():
        measures |= _hand_knob(labels, affine, side, np.array(center))
    return measures


def _hand_knob(labels: np.ndarray, affine: np.ndarray, side: str, center: np.ndarray) -> dict[str, object]:
    """Nearest gray voxel, its sulcus and the way out of the head, around one hand knob."""
    scalp = np.argwhere(_border(labels > 0)) + affine[:3, 3]
    gray = np.argwhere(labels == 2) + affine[:3, 3]
    nearest = gray[((gray - center) ** 2).sum(1).argmin()]
    crown = gray[np.linalg.norm(gray - center, axis=1) < 25.0]
    exit_point = scalp[((scalp - center) ** 2).sum(1).argmin()]
    to_crown = np.linalg.norm(crown - exit_point, axis=1).min()
    return {
        f"hand knob {side}: nearest gray voxel (mm)": nearest.tolist(),
        f"hand knob {side}: scalp to that voxel (mm)": round(float(np.linalg.norm(scalp - nearest, axis=1).min()), 1),
        f"hand knob {side}: scalp to cortex (mm)": round(float(to_crown), 1),
        f"hand knob {side}: sulcal fluid joins the outer fluid": _sulcus_is_open(labels, affine, center),
    }


def _sulcus_is_open(labels: np.ndarray, affine: np.ndarray, center: np.ndarray) -> bool:
    """Whether fluid within 10 mm of the hand knob is face-connected to the largest body of fluid."""
    components, sizes = component_sizes(labels == 3)
    index = np.rint(center - affine[:3, 3]).astype(int)
    around = components[tuple(slice(i - 10, i + 11) for i in index)]
    found = around[around > 0]
    return bool(len(found) and (found == sizes.argmax()).mean() > 0.99)


def _integrity(labels: np.ndarray) -> dict[str, object]:
    measures: dict[str, object] = {}
    for tag, name in NAMES.items():
        _, sizes = component_sizes(labels == tag, every_neighbor=tag == 3)
        measures[f"{name}: bodies, smallest (voxels)"] = f"{(sizes > 0).sum()}, {sizes[sizes > 0].min()}"
    head = labels > 0
    measures["air inside the head (voxels)"] = int((ndimage.binary_fill_holes(head) & ~head).sum())
    brain = (labels == 1) | (labels == 2)
    touching = ndimage.binary_dilation(brain, np.ones((3, 3, 3), bool)) & ((labels == 0) | (labels > 3))
    measures["brain touching skull or air (voxels)"] = int(touching.sum())
    return measures
