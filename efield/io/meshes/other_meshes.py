"""Head meshes in the formats of other programs, read by meshio, an optional dependency.

The formats that heads usually come in, ``.msh`` and ``.vtu``, have readers of their own here. meshio reads in a
process of its own (`meshio_child`), because it ends the process on some files and does not bound what it allocates.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.checks import plain
from efield.ground.errors import FileFormatError, InputError, MissingDependencyError, naming
from efield.io.bounded.stand_in import SEEN_BYTES, check_no_stand_in
from efield.io.meshes import meshio_child
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.tags import Tags, tissue_tags
from efield.kernels.geometry import volumes

#: Suffixes, and meshio's names of the formats. Only formats that hold tetrahedra and something to tell tissues by.
FORMATS: Final = {
    ".vtk": "vtk",
    ".inp": "abaqus",
    ".xdmf": "xdmf",
    ".xmf": "xdmf",
    ".mesh": "medit",
    ".meshb": "medit",
    ".med": "med",
    ".bdf": "nastran",
    ".nas": "nastran",
    ".fem": "nastran",
    ".vol": "netgen",
    ".avs": "avsucd",
    ".ele": "tetgen",
    ".node": "tetgen",
    ".dat": "tecplot",
}

#: Cells that fill no volume, by the start of meshio's names.
_FLAT: Final = ("vertex", "line", "triangle", "quad", "polygon")

_LARGEST_BYTES: Final = 2 << 30
#: Parsers that keep numbers as Python objects need about ten times the size of the text.
_MEMORY_PER_BYTE: Final = 20
_MEMORY_BYTES: Final = 1 << 30
#: The slowest of meshio's readers were seen at 1 MB/s; a small file that takes a minute never ends.
_SECONDS: Final = 60.0
_BYTES_PER_SECOND: Final = 0.5e6


def read_mesh(path: str | os.PathLike[str], tags: Tags | None = None) -> MeshData:
    """The tetrahedra of a mesh file and their tags.

    Parameters
    ----------
    path : path_like
        A file whose suffix is in `FORMATS`, in mm. What it refers to (``.h5`` of an ``.xdmf``, ``.node`` of an
        ``.ele``) must stand beside it.
    tags : str or mapping, optional
        What the tissues are told by; see `efield.io.meshes.tags.tissue_tags`.

    Returns
    -------
    MeshData
        Without fields and triangles.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or not what meshio understands, holds other volume cells than 4-node
        tetrahedra, or does not say what the tissues are.
    MissingDependencyError
        If meshio, or a package it needs for this format, is not installed.
    """
    place = Path(path)
    if not place.is_file() or not place.stat().st_size:
        raise FileFormatError(f"{place} must be a file with content; instead it is missing, empty or a folder")
    with place.open("rb") as file:
        check_no_stand_in(place, file.read(SEEN_BYTES))
    if find_spec("meshio") is None:
        raise _missing(place, "meshio")
    names, arrays = _read_in_child(place)
    fields = {name: arrays[f"field{k}"] for k, name in enumerate(names["fields"])}
    groups = {name: arrays[f"group{k}"] for k, name in enumerate(names["groups"])}
    tets = arrays["tets"]
    with naming(place):
        _check_cells(names["counts"])
        mesh = MeshData(points=arrays["points"], tets=tets, tissue=tissue_tags(fields, groups, len(tets), tags))
        return _in_our_order(mesh) if place.suffix.lower() == ".med" else mesh


def _read_in_child(place: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    beside = [path for path in place.parent.iterdir() if path.stem == place.stem and path.is_file()]
    size = sum(path.stat().st_size for path in beside)
    if size > _LARGEST_BYTES:
        raise FileFormatError(f"{place} must be smaller than 2 GiB; instead it has {size} bytes; write a .msh file")
    with TemporaryDirectory(prefix="efield-") as folder:
        _run(place, folder, size)
        with np.load(Path(folder) / "mesh.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads((Path(folder) / "names.json").read_text()), arrays


def _run(place: Path, folder: str, size: int) -> None:
    allowed = str(_MEMORY_BYTES + _MEMORY_PER_BYTE * size)
    kind = FORMATS[place.suffix.lower()]
    # -P: packages as installed, not files of their names that lie beside this one. Nothing passes through a shell.
    command = [sys.executable, "-P", str(meshio_child.__file__), str(place.absolute()), kind, folder, allowed]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # threads would reserve memory
    seconds = _SECONDS + size / _BYTES_PER_SECOND
    try:
        child = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise FileFormatError(f"{place} must be readable as {kind}; instead meshio took over {seconds:.0f} s") from None
    if child.returncode:
        lines = [line.strip() for line in child.stderr.decode(errors="replace").splitlines() if line.strip()]
        reason = lines[-1] if lines else "the reader crashed"
        if child.returncode == meshio_child.NO_PACKAGE:
            raise _missing(place, reason)
        raise FileFormatError(f"{place} must be a mesh that meshio reads as {kind}; instead: {reason}")


def _missing(place: Path, package: str) -> MissingDependencyError:
    return MissingDependencyError.of(f"reading {place.name} (unless it is written as .msh or .vtu)", "formats", package)


def _check_cells(counts: dict[str, int]) -> None:
    other = {kind: count for kind, count in counts.items() if kind != "tetra" and not kind.startswith(_FLAT)}
    if other:
        found = ", ".join(f"{count} {kind}" for kind, count in other.items())
        raise InputError(f"volume cells must be 4-node tetrahedra; instead the file has {found}; mesh it with those")
    if not counts.get("tetra"):
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"
        raise InputError(f"a head needs tetrahedra; instead the file holds {found}; mesh the volume first")


def _in_our_order(mesh: MeshData) -> MeshData:
    """MED numbers the corners of a tetrahedron the other way round, and meshio leaves them so."""
    turned = len(mesh.tets) and (volumes.signed_volumes(plain(mesh.points), plain(mesh.tets)) < 0).all()
    return replace(mesh, tets=mesh.tets[:, [0, 2, 1, 3]]) if turned else mesh
