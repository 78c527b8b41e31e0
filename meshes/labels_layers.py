"""Inner skull, skull and scalp around a segmented brain.

Distances are between voxel centers, in millimeters of a 1 mm grid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

FLUID, SKULL, SCALP = 3, 4, 5
CLOSING_MM = 10.0
MIN_GAP_MM = 1.5
MAX_GAP_MM = 2.5
SKULL_MM = 6.5
MIN_SKULL_MM = 3.0
SKULL_SHARE = 0.55
MIN_SHELL_MM = 11.5
MAX_SHELL_MM = 15.5
NECK_Z_MM = -108.0


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the boundary of a mask, negative inside, (nx, ny, nz) float32 mm."""
    outside = ndimage.distance_transform_edt(~mask).astype(np.float32)
    inside = ndimage.distance_transform_edt(mask).astype(np.float32)
    return np.where(mask, 0.5 - inside, outside - 0.5)


def closed_hull(mask: np.ndarray, radius_mm: float = CLOSING_MM) -> np.ndarray:
    """Mask closed by a ball of the given radius; the volume must leave that much margin around it."""
    grown = ndimage.distance_transform_edt(~mask) <= radius_mm
    return (ndimage.distance_transform_edt(grown) > radius_mm) | mask


def mirrored_mean(mask: np.ndarray) -> np.ndarray:
    """Shape halfway between a mask and its left-right mirror image; the first axis must be centered on x = 0."""
    distance = signed_distance(mask)
    return distance + distance[::-1] < 0


def smooth_mask(mask: np.ndarray, sigma_mm: float) -> np.ndarray:
    """Mask rounded by a Gaussian of the given width."""
    return ndimage.gaussian_filter(mask.astype(np.float32), sigma_mm, truncate=3.0) > 0.5


def inner_skull(brain: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The cranial cavity: between 1.5 and 2.5 mm outside the closed brain, as the reference surface says.

    The brain and the surface are averages of different people, so the surface alone leaves up to a centimeter of
    fluid over some crowns and cuts into others.  Every brain voxel keeps at least one voxel of fluid around it.

    Parameters
    ----------
    brain : (nx, ny, nz) bool
    reference : (nx, ny, nz) bool
        Inside of an inner-skull surface, for the local choice between the bounds.
    """
    distance = signed_distance(closed_hull(brain))
    cavity = (distance <= MIN_GAP_MM) | ((distance <= MAX_GAP_MM) & reference)
    return smooth_mask(cavity, 1.5) | ndimage.binary_dilation(brain, np.ones((3, 3, 3), bool))


def outer_scalp(head: np.ndarray, cavity_distance: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The head surface held between the thinnest and the thickest shell around the cranial cavity.

    The upper bound opens below z = 20 mm, where the face and the neck are not a shell.
    """
    thickest = MAX_SHELL_MM + np.maximum(20.0 - z, 0.0)
    head = (head & (cavity_distance <= thickest)) | (cavity_distance <= MIN_SHELL_MM)
    return smooth_mask(head, 1.5) & (z >= NECK_Z_MM)


def skull_thickness(cavity_distance: np.ndarray, scalp_depth: np.ndarray) -> np.ndarray:
    """Thickness of the skull wanted at each voxel of the shell, mm, from the shell's local width."""
    shell = np.maximum(cavity_distance, 0.0) + np.maximum(scalp_depth, 0.0)
    return np.clip(SKULL_SHARE * shell, MIN_SKULL_MM, SKULL_MM)


def wrap_brain(brain_labels: np.ndarray, reference: np.ndarray, head: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Five-tissue labels from brain labels (1, 2) and two reference masks, (nx, ny, nz) uint8.

    Parameters
    ----------
    brain_labels : (nx, ny, nz) uint8
        White 1, gray 2, else 0.
    reference, head : (nx, ny, nz) bool
        Inside of an inner-skull surface and of a head surface.
    z : broadcastable float
        Height of the voxel centers, mm.
    """
    brain = brain_labels > 0
    cavity = inner_skull(brain, reference)
    distance = signed_distance(cavity)
    scalp = outer_scalp(head, distance, z)
    depth = ndimage.distance_transform_edt(scalp).astype(np.float32) - np.float32(0.5)
    labels = np.where(scalp, np.uint8(SCALP), np.uint8(0))
    labels[scalp & (distance <= skull_thickness(distance, depth))] = SKULL
    labels[cavity] = FLUID
    labels[brain] = brain_labels[brain]
    return labels
