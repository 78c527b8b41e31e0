"""A mesh file of any known format, by its suffix."""

import os
from pathlib import Path
from typing import Final

import numpy as np

from efield.ground.errors import InputError, naming
from efield.head.mesh import HeadMesh
from efield.head.remarks import looks_like_centimeters
from efield.io.meshes import gmsh, other_meshes, vtu
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.tags import Tags

#: What is read without a further package.
_OURS: Final = {".msh": gmsh.read_mesh, ".vtu": vtu.read_mesh}

SUFFIXES: Final = (*_OURS, *other_meshes.FORMATS)


def read_mesh(path: str | os.PathLike[str], tags: Tags | None = None) -> MeshData:
    """All that a mesh file holds; of formats that meshio reads the tetrahedra and their tags only.

    Parameters
    ----------
    path : path_like
        A file whose suffix is in `SUFFIXES`, in mm.
    tags : str or mapping, optional
        What the tissues are told by; see `efield.io.meshes.tags.tissue_tags`.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, holds other volume cells than 4-node tetrahedra, or does not say what the
        tissues are.
    MissingDependencyError
        If the format needs a package that is not installed.
    """
    return _OURS.get(Path(path).suffix.lower(), other_meshes.read_mesh)(path, tags)


def read_head(path: str | os.PathLike[str], tags: Tags | None = None) -> HeadMesh:
    """The tetrahedra of a mesh file as a head; nodes that none of them uses are left out.

    Parameters
    ----------
    path, tags
        As for `read_mesh`.

    Raises
    ------
    FileFormatError
        As `read_mesh`; also without tetrahedra, with flat or inverted ones, or if coordinates look like meters or
        centimeters.
    MissingDependencyError
        As `read_mesh`.
    """
    mesh = read_mesh(path, tags)
    with naming(path):
        head = mesh.head()
        if looks_like_centimeters(head):
            width = float(np.ptp(head.points, axis=0).max())
            raise InputError(
                f"points must be in millimeters; instead the mesh is only {width:.3g} wide and scalp all around, which "
                "looks like centimeters: multiply the coordinates by 10"
            )
        return head
