"""The published data behind the default head, put on one 1 mm MNI grid.

Gray, white and T1 maps of ICBM152 2009a symmetric come with nilearn, the inner-skull and head surfaces of
fsaverage with MNE-Python.  Neither is needed to run `efield`: only to rebuild the default head.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

ORIGIN_MM = np.array([-105.0, -140.0, -110.0])
SHAPE = (211, 256, 229)

# FreeSurfer's published affine from MNI305 (where fsaverage lives) to MNI152:
# https://surfer.nmr.mgh.harvard.edu/fswiki/CoordinateSystems, use case 8a.
MNI305_TO_MNI152 = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


@dataclass(frozen=True)
class TemplateMaps:
    """The three ICBM152 maps on the label grid, each (211, 256, 229) float32 between 0 and 1."""

    gray: np.ndarray
    white: np.ndarray
    t1: np.ndarray


def grid_affine() -> np.ndarray:
    """Voxel indices to millimeters (RAS) of the label grid, shape (4, 4)."""
    affine = np.eye(4)
    affine[:3, 3] = ORIGIN_MM
    return affine


def grid_coordinates(shape: tuple[int, ...] = SHAPE, origin: np.ndarray = ORIGIN_MM) -> list[np.ndarray]:
    """Millimeter coordinates of the voxel centers as three arrays that broadcast against the volume."""
    axes = [origin[k] + np.arange(n, dtype=np.float32) for k, n in enumerate(shape)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def load_template_maps() -> TemplateMaps:
    """Read the ICBM152 2009a symmetric maps of nilearn's wheel onto the label grid.

    Raises
    ------
    FileNotFoundError
        If the installed nilearn does not carry the 1 mm maps.
    ValueError
        If a map is not on a 1 mm RAS grid that fits into the label grid.
    """
    import nilearn

    folder = Path(nilearn.__file__).parent / "datasets" / "data"
    names = (f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz" for kind in ("gm", "wm", "t1"))
    return TemplateMaps(*(_on_grid(folder / name) for name in names))


def _on_grid(path: Path) -> np.ndarray:
    import nibabel

    image = nibabel.load(path)
    values = np.asanyarray(image.dataobj)
    start = np.rint(image.affine[:3, 3] - ORIGIN_MM).astype(int)
    stop = start + values.shape
    if not np.array_equal(image.affine[:3, :3], np.eye(3)) or (start < 0).any() or (stop > SHAPE).any():
        raise ValueError(
            f"{path.name} must be a 1 mm RAS map inside the label grid; instead received the affine "
            f"{image.affine.tolist()}; install a nilearn release that ships the 2009a maps at 1 mm"
        )
    padded = np.zeros(SHAPE, np.float32)
    padded[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = values / np.float32(255)
    return padded


def load_fsaverage_mask(name: str, subdivisions: int = 0) -> np.ndarray:
    """The inside of a closed fsaverage surface of MNE's wheel, moved to MNI152, (211, 256, 229) bool.

    Parameters
    ----------
    name
        File name, ``"fsaverage-head.fif"`` or ``"fsaverage-inner_skull-bem.fif"``.
    subdivisions
        Butterfly subdivisions: the head surface has 2033 vertices only, too coarse for 1 mm voxels.
    """
    import mne

    path = Path(mne.__file__).parent / "data" / "fsaverage" / name
    surface = mne.read_bem_surfaces(path, verbose="error")[0]
    points = surface["rr"] * 1e3 @ MNI305_TO_MNI152[:3, :3].T + MNI305_TO_MNI152[:3, 3]
    return inside_surface(points, surface["tris"], subdivisions)


def inside_surface(
    points_mm: np.ndarray,
    triangles: np.ndarray,
    subdivisions: int = 0,
    shape: tuple[int, int, int] = SHAPE,
    origin: np.ndarray = ORIGIN_MM,
) -> np.ndarray:
    """Voxels whose centers lie inside a closed triangle surface, bool of the given shape."""
    import pyvista
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    faces = np.column_stack([np.full(len(triangles), 3), triangles]).ravel()
    surface = pyvista.PolyData(np.asarray(points_mm, float), faces)
    if subdivisions:
        surface = surface.subdivide(subdivisions, "butterfly")
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(surface)
    stencil.SetOutputOrigin(*origin)
    stencil.SetOutputSpacing(1.0, 1.0, 1.0)
    stencil.SetOutputWholeExtent(0, shape[0] - 1, 0, shape[1] - 1, 0, shape[2] - 1)
    stencil.SetTolerance(0.0)
    stencil.Update()
    painter = vtkImageStencilToImage()
    painter.SetInputData(stencil.GetOutput())
    painter.SetInsideValue(1)
    painter.SetOutsideValue(0)
    painter.SetOutputScalarTypeToUnsignedChar()
    painter.Update()
    image = pyvista.wrap(painter.GetOutput())
    return np.asarray(image.active_scalars).reshape(shape, order="F").astype(bool)
