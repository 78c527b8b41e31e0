"""The map from MNI152 beside a mesh: ``head.msh.mni.json`` belongs to ``head.msh``.

Mesh formats have no place for it. The file is JSON that people can read and write:

    {"matrix": [[...], [...], [...], [0, 0, 0, 1]], "description": "where it comes from", "mesh_sha256": "..."}

``matrix`` takes MNI152 coordinates to those of the mesh, mm. ``mesh_sha256`` binds it to one mesh and may be left out
where the file is written by hand.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.ground.errors import FileFormatError, InputError, naming
from efield.head.mni import AffineMap
from efield.io.atomic import replacing
from efield.io.bounded.cursor import file_bytes
from efield.io.sealed import digest_of

_LARGEST_BYTES: Final = 1 << 16


def sidecar_of(mesh: str | os.PathLike[str]) -> Path:
    """Where the map of a mesh file is."""
    return Path(f"{os.fspath(mesh)}.mni.json")


def write_sidecar(mesh: str | os.PathLike[str], mni: AffineMap) -> Path:
    """Put a map beside a mesh file that is there already; returns where.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    place = sidecar_of(mesh)
    note = {"matrix": mni.matrix.tolist(), "description": mni.description, "mesh_sha256": digest_of(mesh)}
    with replacing(place) as temporary:
        temporary.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8", newline="\n")
    return place


def read_sidecar(mesh: str | os.PathLike[str]) -> AffineMap | None:
    """The map beside a mesh file; None if there is none.

    Raises
    ------
    FileFormatError
        If it is damaged, or was made for another mesh than the one that is there now.
    """
    place = sidecar_of(mesh)
    if not place.is_file():
        return None
    data = file_bytes(place)
    note = _parsed(place, data)
    made_for = note.get("mesh_sha256")
    if made_for is not None and made_for != digest_of(mesh):
        raise FileFormatError(
            f"{place} must be the map of {Path(mesh).name}; instead it was made for another mesh, or the mesh was "
            "changed since: remove it, or build the mesh again"
        )
    with naming(place):
        try:
            matrix = np.array(note["matrix"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"matrix must be a 4x4 matrix, MNI152 to mesh; instead: {error!r}") from error
        return AffineMap(matrix, str(note.get("description", f"affine of {place.name}")))


def _parsed(place: Path, data: bytes) -> dict[str, Any]:
    try:
        note = json.loads(data[: _LARGEST_BYTES + 1])
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{place} must be JSON with a matrix; instead it cannot be read: {error}") from error
    if not isinstance(note, dict):
        raise FileFormatError(f'{place} must be JSON such as {{"matrix": [...]}}; instead it is something else')
    return note
