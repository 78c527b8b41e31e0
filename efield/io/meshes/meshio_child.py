"""A program, not a module to import: meshio reads one file, and its tetrahedra are written as plain arrays.

`efield.io.meshes.other_meshes` runs it in a process of its own. meshio ends the process on some files, prints on
others, and follows names of further files; here none of that reaches the caller, and memory is limited. It must not
import `efield`: the reader would then wait for all of it.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

NO_PACKAGE = 3
UNREADABLE = 4


def limit_memory(extra_bytes: int) -> None:
    """Let this process grow by so much and no more, where the system can."""
    try:
        resource: Any = import_module("resource")
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound = pages * resource.getpagesize() + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    except (ImportError, OSError, ValueError):
        return


def arrays_of(mesh: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is written: names and counts, and arrays that belong to them by number."""
    blocks = [block.type for block in mesh.cells]
    chosen = [k for k, kind in enumerate(blocks) if kind == "tetra"]
    starts = dict(zip(chosen, np.cumsum([0, *(len(mesh.cells[k].data) for k in chosen)]), strict=False))
    arrays = {
        "points": np.asarray(mesh.points, dtype=np.float64),
        "tets": np.concatenate([np.empty((0, 4), np.int64), *(mesh.cells[k].data for k in chosen)]),
    }
    counts: dict[str, int] = {}
    for block in mesh.cells:
        counts[block.type] = counts.get(block.type, 0) + len(block.data)
    fields = dict(_fields(mesh, chosen))
    groups = dict(_groups(mesh, starts))
    arrays |= {f"field{k}": values for k, values in enumerate(fields.values())}
    arrays |= {f"group{k}": members for k, members in enumerate(groups.values())}
    return {"counts": counts, "fields": list(fields), "groups": list(groups)}, arrays


def _fields(mesh: Any, chosen: list[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays with one number for each tetrahedron, by name."""
    for name, blocks in mesh.cell_data.items():
        parts = [np.asarray(blocks[k]) for k in chosen if k < len(blocks)]
        values: Any = np.concatenate(parts) if parts else np.empty(0)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if len(parts) == len(chosen) and values.ndim == 1 and values.dtype.kind in "iufb":
            yield str(name), values.astype(values.dtype.newbyteorder("="))


def _groups(mesh: Any, starts: dict[int, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Named sets of tetrahedra, as numbers into all of them."""
    for name, blocks in mesh.cell_sets.items():
        parts = [start + np.asarray(blocks[k], dtype=np.int64) for k, start in starts.items() if k < len(blocks)]
        members = np.concatenate([np.empty(0, np.int64), *parts])
        if len(members):
            yield str(name), members
    # Families of MED: a number on each cell, and the names of the groups that it is in.
    numbers = mesh.cell_data.get("cell_tags")
    if numbers is None:
        return
    families = np.concatenate([np.empty(0, np.int64), *(np.asarray(numbers[k]) for k in starts)])
    tags: dict[int, list[str]] = getattr(mesh, "cell_tags", {})
    for name in sorted({name for names in tags.values() for name in names}):
        members = np.flatnonzero(np.isin(families, [number for number, names in tags.items() if name in names]))
        if len(members):
            yield str(name), members


def mended(path: str, kind: str, folder: str) -> str:
    """The file, or a copy in the folder with what meshio misses in files that Gmsh writes and others read."""
    if kind not in ("nastran", "vtk"):
        return path
    data = Path(path).read_bytes()
    # Gmsh writes the bulk data alone, and binary values without an end of line behind the last.
    head = b"BEGIN BULK\n" if kind == "nastran" and b"BEGIN BULK" not in data.upper() else b""
    tail = b"\n" if kind == "vtk" and not data.endswith(b"\n") else b""
    if not head and not tail:
        return path
    copy = Path(folder) / f"copy{Path(path).suffix}"
    copy.write_bytes(head + data + tail)
    return str(copy)


def main(path: str, kind: str, folder: str, extra_bytes: str) -> int:
    """Read `path` as `kind` into `folder`; the exit code, and one line on standard error, say how it went."""
    try:
        meshio: Any = import_module("meshio")
        if kind in ("xdmf", "med"):
            import_module("h5py")
        limit_memory(int(extra_bytes))
        names, arrays = arrays_of(meshio.read(mended(path, kind, folder), file_format=kind))
    except ImportError as error:
        sys.stderr.write(f"\n{error.name}")
        return NO_PACKAGE
    except (Exception, SystemExit) as error:  # whatever it is, the file could not be read
        detail = " ".join(str(error).split())
        sys.stderr.write(f"\n{type(error).__name__}: {detail}"[:400])
        return UNREADABLE
    np.savez(Path(folder) / "mesh.npz", **arrays)  # type: ignore[arg-type]
    (Path(folder) / "names.json").write_text(json.dumps(names))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
