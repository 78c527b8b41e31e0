"""White matter, folded gray matter and open sulci from the ICBM152 maps.

An average of 152 brains is blurred: gray matter above one half merges the banks of most sulci.  The T1 still
shows each sulcus as a dark sheet, so the sheets are carved out of the gray matter and the cortex is then given
a thickness no average would have kept.  Distances are between voxel centers, in millimeters of a 1 mm grid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

WHITE, GRAY = 1, 2
T1_FLUID = 0.56  # darker than this is more fluid than cortex
T1_FOLD = 0.72  # a fold counts up to this brightness ...
FOLD_DEPTH = 0.07  # ... if its walls are this much brighter
FOLD_REACH_MM = 3.0
MIN_BANK_MM = 1.8  # gray matter left between white matter and sulcus before the white side yields
MIN_GRAY_MM = 2.3
USUAL_GRAY_MM = 3.0
PURE_WHITE = 0.7
SPECK_VOXELS = 40
STRAY_VOXELS = 150  # smaller bodies of any tissue carry no current worth a tetrahedron

_EVERY_NEIGHBOR = np.ones((3, 3, 3), bool)


def component_sizes(mask: np.ndarray, every_neighbor: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Component number of each voxel (0 outside) and the size of each component (entry 0 is 0)."""
    labels, _ = ndimage.label(mask, _EVERY_NEIGHBOR if every_neighbor else None)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels, sizes


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a mask."""
    labels, sizes = component_sizes(mask)
    return (labels == sizes.argmax()) & mask


def without_specks(mask: np.ndarray, voxels: int = SPECK_VOXELS) -> np.ndarray:
    """Mask without components, and without cavities, of fewer than `voxels` voxels."""
    labels, sizes = component_sizes(mask)
    kept = (sizes >= voxels)[labels]
    labels, sizes = component_sizes(~kept)
    return ~(sizes >= voxels)[labels]


def sphere(radius_mm: float) -> np.ndarray:
    """Structuring element: voxels within a radius of the center."""
    reach = int(np.ceil(radius_mm))
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    return (offsets**2).sum(0) <= radius_mm**2 + 1e-6


def fold_depth(t1: np.ndarray, reach_mm: float = FOLD_REACH_MM) -> np.ndarray:
    """How much darker a voxel is than the walls around it (gray closing minus the image), same shape."""
    return ndimage.grey_closing(t1, footprint=sphere(reach_mm)) - t1


def open_sulci(gray: np.ndarray, white: np.ndarray, t1: np.ndarray) -> np.ndarray:
    """Gray voxels that are sulcal fluid: dark, or the floor of a dark fold, and off the white matter.

    A sheet one voxel thin would not survive meshing, so thin sheets take the darker of their neighbors too.

    Returns
    -------
    ndarray of bool
        Voxels to be turned from gray matter into fluid.
    """
    off_white = ndimage.distance_transform_edt(~white)
    dark = (t1 < T1_FLUID) | ((fold_depth(t1) > FOLD_DEPTH) & (t1 < T1_FOLD))
    fluid = gray & dark & (off_white > MIN_BANK_MM)
    outside = ~(gray | white)
    thin = fluid & ~ndimage.binary_opening(fluid | outside, np.ones((2, 2, 2), bool))
    return fluid | (ndimage.binary_dilation(thin) & gray & (t1 < T1_FOLD) & (off_white > 1.5))


def thicken_gray(white: np.ndarray, fluid: np.ndarray, white_map: np.ndarray, where: np.ndarray) -> np.ndarray:
    """White matter pushed back from the fluid so that cortex of a lifelike thickness fits between them.

    The white side yields because the sulcus is what the T1 shows; the white border is only a blurred half.

    Parameters
    ----------
    white, fluid : (nx, ny, nz) bool
    white_map : (nx, ny, nz) float
        White-matter probability: nearly pure white matter yields to `MIN_GRAY_MM` of cortex only, less pure
        white matter to `USUAL_GRAY_MM`.
    where : (nx, ny, nz) bool
        Where there is cortex to thicken.
    """
    reach = np.where(white_map < PURE_WHITE, USUAL_GRAY_MM, MIN_GRAY_MM)
    return white & ~((ndimage.distance_transform_edt(~fluid) <= reach) & where)


def cortical_region(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where white matter is covered by cortex: not around the ventricles, the brainstem and the base."""
    ventricles = (np.abs(x) < 30) & (y > -48) & (y < 36) & (z >= -14) & (z < 28)
    return ~ventricles & ~brainstem_region(x, y, z) & (z > -60)


def brainstem_region(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A box around pons and medulla, where the gray map is noise between fiber tracts."""
    return (np.abs(x) < 24) & (y > -38) & (y < 5) & (z < -14)


def segment_brain(
    gray_map: np.ndarray, white_map: np.ndarray, t1: np.ndarray, coordinates: list[np.ndarray]
) -> np.ndarray:
    """White (1) and gray matter (2) with open sulci; everything else 0.

    Parameters
    ----------
    gray_map, white_map, t1 : (nx, ny, nz) float
        Tissue probabilities and a skull-stripped T1, between 0 and 1.
    coordinates : three broadcastable arrays
        MNI millimeters of the voxel centers.

    Returns
    -------
    (nx, ny, nz) uint8
    """
    white = without_specks((white_map >= gray_map) & (white_map > 0.5))
    brain = largest_component(gray_map + white_map >= 0.5) | white
    brainstem = np.broadcast_to(brainstem_region(*coordinates), brain.shape)
    sulci = open_sulci(brain & ~white, white, t1)
    brain = largest_component(brain & ~sulci)
    white = brain & (white | (brainstem & (white_map > 0.2)))
    white = thicken_gray(white, ~brain, white_map, cortical_region(*coordinates))
    white = without_specks(white) & brain
    return np.where(white, np.uint8(WHITE), np.where(brain, np.uint8(GRAY), np.uint8(0)))


def merge_specks(labels: np.ndarray, voxels: int = STRAY_VOXELS) -> np.ndarray:
    """Labels with components smaller than `voxels` replaced by the nearest label around them.

    Fluid (3) is joined across edges and corners, because a sulcus is a thin sheet; the rest across faces.
    """
    specks = np.zeros(labels.shape, bool)
    for tag in range(int(labels.max()) + 1):
        components, sizes = component_sizes(labels == tag, every_neighbor=tag == 3)
        specks |= ((sizes > 0) & (sizes < voxels))[components]
    if not specks.any():
        return labels.copy()
    nearest = ndimage.distance_transform_edt(specks, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]
