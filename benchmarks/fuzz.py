"""Damaged and hostile files for every reader: each must be read or refused with an error of ours, in bounded memory.

    python -m benchmarks.fuzz [--minutes 5] [--only msh] [--seed 0] [--json]
    python -m benchmarks.fuzz --cases 40

Starts from a good file of every kind and changes it: single bytes and bits, cuts, stretches left out or repeated,
numbers replaced (negative, huge, nan, inf), words of 4 and 8 bytes likewise, the same inside compressed parts, and
compressed parts that unpack to 256 MB of zeros. Every reader runs in a process of its own that may grow by 768 MB and
take 20 s of the processor per file. What is neither read nor refused (another exception, a crash, too much memory or
time) is a failure; its file is kept and its name printed, and the exit code is 1.
"""

import argparse
import base64
import gzip
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

MEMORY = 768 << 20
SECONDS = 20.0
BOMB = 256 << 20

Reader = Callable[[Path], Any]


# --- good files, and what reads them


def kinds(folder: Path, only: str = "") -> dict[str, tuple[Path, Reader]]:
    """A good file of every kind, or of one of `GROUPS`, written into `folder`, and its reader."""
    chosen = [GROUPS[only]] if only in GROUPS else list(GROUPS.values())
    return {name: entry for group in chosen for name, entry in group(folder).items()}


def heads(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import meshio
    import pyvista

    from efield.head.spheres import sphere_head
    from efield.io.gmsh import write_head
    from efield.io.load import load_head

    head = sphere_head((55.0, 70.0), (2, 5), edge_mm=40.0)
    field = {"E": np.ones((len(head.tets), 3)), "magnE": np.ones(len(head.tets))}
    write_head(folder / "binary22.msh", head, element_data=field)
    write_head(folder / "text22.msh", head, element_data=field, binary=False)
    tags = head.tissue.astype(np.int32)
    groups = {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
    other = meshio.Mesh(head.points, [("tetra", head.tets)], cell_data=groups)
    other.write(folder / "binary41.msh", file_format="gmsh", binary=True)
    other.write(folder / "text41.msh", file_format="gmsh", binary=False)
    grid = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: head.tets}, np.array(head.points))
    grid.cell_data["tissue"] = tags
    for name, binary in (("raw", True), ("text", False)):
        grid.save(folder / f"{name}.vtu", binary=binary)
    plain = meshio.Mesh(head.points, [("tetra", head.tets)], cell_data={"tissue": [tags]})
    plain.write(folder / "base64.vtu", compression="zlib")
    plain.write(folder / "lzma.vtu", compression="lzma")
    plain.write(folder / "other.vtk")
    meshio.Mesh(head.points, [("tetra", head.tets)], cell_data={"medit:ref": [tags]}).write(folder / "other.mesh")
    everything = {"all": [np.arange(len(head.tets))]}
    meshio.Mesh(head.points, [("tetra", head.tets)], cell_sets=everything).write(folder / "other.inp")
    names = [
        "binary22.msh",
        "text22.msh",
        "binary41.msh",
        "text41.msh",
        "raw.vtu",
        "text.vtu",
        "base64.vtu",
        "lzma.vtu",
    ]
    found = {f"head {name}": (folder / name, load_head) for name in [*names, "other.vtk", "other.mesh"]}
    groups_of = {"all": 5}
    found["head other.inp"] = (folder / "other.inp", lambda path: load_head(path, tags=groups_of))
    return found


def volumes(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import nibabel

    from efield.io.cursor import Cursor
    from efield.io.label_map import read_label_map
    from efield.io.nifti import read_grid, read_labels, read_volume

    labels = np.zeros((9, 10, 11), np.uint8)
    labels[2:7, 2:8, 2:9] = 5
    for name in ("labels.nii", "labels.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(labels, np.diag([2.0, 2, 2, 1])), folder / name)
    nibabel.save(nibabel.Nifti2Image(labels, np.eye(4)), folder / "labels2.nii")
    (folder / "map.csv").write_text("label,tag\n10,1\n11,2\n24,3\n")
    found: dict[str, tuple[Path, Reader]] = {
        f"volume {name}": (folder / name, read_labels) for name in ("labels.nii", "labels.nii.gz", "labels2.nii")
    }
    found["volume grid.nii"] = (folder / "labels.nii", read_grid)
    found["volume any.nii.gz"] = (folder / "labels.nii.gz", lambda path: read_volume(Cursor.open(path)))
    found["volume map.csv"] = (folder / "map.csv", read_label_map)
    return found


def subjects(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import nibabel

    from efield.head.spheres import sphere_head
    from efield.head.surface import scalp
    from efield.io.eeg_positions import read_eeg_positions
    from efield.io.gifti import read_surface, read_values, write_values
    from efield.io.subject import read_mni_map

    surface = scalp(sphere_head((55.0, 70.0), (2, 5), edge_mm=40.0))
    write_values(folder / "lh.gii", {"E_magn": np.ones(len(surface.points_mm))}, surface)
    for name, encoding in (("text.gii", "ASCII"), ("plain.gii", "B64BIN")):
        image = nibabel.load(folder / "lh.gii")
        for array in image.darrays:
            array.encoding = nibabel.gifti.gifti.gifti_encoding_codes.code[encoding]
        nibabel.save(image, folder / name)
    warp = 30.0 * np.stack(np.meshgrid(*map(np.arange, (6, 7, 5)), indexing="ij"), axis=-1).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(warp + 3, np.diag([30.0, 30, 30, 1])), folder / "MNI2Conform_nonl.nii.gz")
    np.savetxt(folder / "MNI2Conform_12DOF.txt", np.diag([1.1, 0.9, 1.0, 1.0]))
    (folder / "cap.csv").write_text("Electrode,1.5,2,93,Cz\nFiducial,0,90,0,Nz\nGeneric,3,4,50,x\n")
    found: dict[str, tuple[Path, Reader]] = {
        f"surface {name}": (folder / name, read_surface) for name in ("lh.gii", "text.gii", "plain.gii")
    }
    found["surface values lh.gii"] = (folder / "lh.gii", read_values)
    found["surface map MNI2Conform_nonl.nii.gz"] = (folder / "MNI2Conform_nonl.nii.gz", read_mni_map)
    found["surface map MNI2Conform_12DOF.txt"] = (folder / "MNI2Conform_12DOF.txt", read_mni_map)
    found["surface cap.csv"] = (folder / "cap.csv", read_eeg_positions)
    return found


def coils(folder: Path) -> dict[str, tuple[Path, Reader]]:
    from efield.coils.model import Coil, Dipoles, SampledField, Segments
    from efield.io.ccd import write_ccd
    from efield.io.coil_grid import write_samples
    from efield.io.load import load_coil
    from efield.io.stl import read_stl
    from efield.io.tcd import write_tcd

    rng = np.random.default_rng(0)
    dipoles = Dipoles(rng.normal(scale=30, size=(12, 3)), rng.normal(size=(12, 3)) * 1e-4)
    angle = np.linspace(0, 2 * np.pi, 13)
    ring = np.column_stack([40 * np.cos(angle), 40 * np.sin(angle), 0 * angle])
    wires = Segments(ring[:-1], ring[1:], 3.0)
    grid = SampledField(affine=np.diag([20.0, 20, 20, 1]), a_tm=rng.normal(size=(4, 5, 3, 3)) * 1e-6)
    write_ccd(folder / "coil.ccd", Coil("dipoles", (dipoles,)))
    write_tcd(folder / "coil.tcd", Coil("all", (dipoles, wires)))
    document = json.loads((folder / "coil.tcd").read_text())
    (folder / "packed.tcd").write_text(json.dumps(packed(document)))
    for name in ("coil.nii", "coil.nii.gz"):
        write_samples(folder / name, grid)
    rows = "\n".join(f"{x:.3f},{y:.3f},{z:.3f},3" for x, y, z in ring)
    (folder / "wire.csv").write_text(f"x_mm,y_mm,z_mm,turns\n{rows}\n")
    (folder / "coil.toml").write_text(
        'type = "figure8"\nturns = 9\ninner_diameter_mm = 56.0\nouter_diameter_mm = 87.0\n'
        "wire_width_mm = 1.75\nwire_height_mm = 6.0\ncasing_mm = 5.0\nmax_didt = 120e6\n"
    )
    facets = rng.normal(scale=40, size=(8, 3, 3))
    corners = [" ".join(f"{x:.4f}" for x in corner) for corner in facets.reshape(-1, 3)]
    loops = (" vertex " + "\n vertex ".join(corners[k : k + 3]) for k in range(0, len(corners), 3))
    text = "".join(f"facet normal 0 0 1\nouter loop\n{loop}\nendloop\nendfacet\n" for loop in loops)
    (folder / "text.stl").write_text(f"solid a\n{text}endsolid a\n")
    binary = b"".join(np.r_[0, 0, 1, f.ravel()].astype("<f4").tobytes() + b"\0\0" for f in facets)
    (folder / "binary.stl").write_bytes(b"\0" * 80 + np.uint32(len(facets)).tobytes() + binary)
    names = ("coil.ccd", "coil.tcd", "packed.tcd", "coil.nii", "coil.nii.gz", "wire.csv", "coil.toml")
    found: dict[str, tuple[Path, Reader]] = {f"coil {name}": (folder / name, load_coil) for name in names}
    return found | {f"coil casing {name}": (folder / name, read_stl) for name in ("text.stl", "binary.stl")}


def packed(value: Any) -> Any:
    """A coil's document with its arrays of vectors as compressed base64."""
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], list) and len(value[0]) == 3:
        return base64.b64encode(zlib.compress(np.array(value, dtype="<f8").tobytes())).decode()
    return [packed(item) for item in value] if isinstance(value, list) else value


def poses(folder: Path) -> dict[str, tuple[Path, Reader]]:
    from efield.ground.pose import Pose
    from efield.io.load import load_pose

    matrix = Pose.from_axes((-40.5, 10.25, 80.125), (1, 2, 0.5), (0.3, -0.2, -1)).matrix
    np.savetxt(folder / "pose.txt", matrix)
    np.savetxt(folder / "pose.csv", matrix, delimiter=",")
    np.save(folder / "pose.npy", matrix)
    (folder / "pose.json").write_text(json.dumps({"matsimnibs": matrix.tolist()}))
    return {f"pose {name}": (folder / name, load_pose) for name in ("pose.txt", "pose.csv", "pose.npy", "pose.json")}


GROUPS = {"head": heads, "volume": volumes, "surface": subjects, "coil": coils, "pose": poses}


# --- damage

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
NUMBERS = b"-1,0,4294967295,2147483648,99999999999999999999,1e308,-1e308,nan,inf,1_0,0x1f,1e-320".split(b",")
WORDS = [
    *(np.array(v, dtype="<i4").tobytes() for v in (-1, 0, 2**31 - 1, -(2**31))),
    *(np.array(v, dtype="<i8").tobytes() for v in (-1, 2**62, 2**40, 2**31)),
    *(np.array(v, dtype="<f8").tobytes() for v in (np.nan, np.inf, 1e300)),
    *(np.array(v, dtype="<f4").tobytes() for v in (np.nan, np.inf, 1e30)),
]


def damaged(data: bytes, rng: np.random.Generator, deep: bool = True) -> bytes:
    """The bytes, changed in one of the ways named above."""
    ways = [changed_bytes, flipped_bit, cut, left_out, repeated, other_number, other_word, other_word]
    if deep:
        ways += [inside_packed, inside_packed]
    return ways[rng.integers(len(ways))](data, rng)


def place(data: bytes, rng: np.random.Generator) -> int:
    # Headers are short and matter most: half of the changes go to the first bytes.
    return int(rng.integers(min(len(data), 400) if rng.random() < 0.5 else len(data)))


def changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        out[place(data, rng)] = rng.integers(256)
    return bytes(out)


def flipped_bit(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    out[place(data, rng)] ^= 1 << rng.integers(8)
    return bytes(out)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def left_out(data: bytes, rng: np.random.Generator) -> bytes:
    a, b = sorted(rng.integers(len(data), size=2))
    return data[:a] + data[b:]


def repeated(data: bytes, rng: np.random.Generator) -> bytes:
    a, b = sorted(rng.integers(len(data), size=2))
    return data[:b] + data[a:b] * int(rng.integers(1, 4)) + data[b:]


def other_number(data: bytes, rng: np.random.Generator) -> bytes:
    found = list(NUMBER.finditer(data, 0, 200_000))
    if not found:
        return changed_bytes(data, rng)
    chosen = found[rng.integers(len(found)) if rng.random() < 0.5 else rng.integers(min(len(found), 30))]
    return data[: chosen.start()] + NUMBERS[rng.integers(len(NUMBERS))] + data[chosen.end() :]


def other_word(data: bytes, rng: np.random.Generator) -> bytes:
    word, start = WORDS[rng.integers(len(WORDS))], place(data, rng)
    return data[:start] + word + data[start + len(word) :]


def inside_packed(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage what a compressed file or a piece of base64 unpacks to, and pack it again."""
    if data[:2] == b"\x1f\x8b":
        return gzip.compress(damaged(gzip.decompress(data), rng, deep=False), 1)
    pieces = list(BASE64.finditer(data))
    if not pieces:
        return damaged(data, rng, deep=False)
    chosen = pieces[rng.integers(len(pieces))]
    try:
        inner = base64.b64decode(chosen.group())
    except ValueError:
        return damaged(data, rng, deep=False)
    try:
        changed = zlib.compress(damaged(zlib.decompress(inner), rng, deep=False))
    except zlib.error:
        changed = damaged(inner, rng, deep=False)
    return data[: chosen.start()] + base64.b64encode(changed) + data[chosen.end() :]


@cache
def packed_zeros(form: int) -> bytes:
    """`BOMB` zeros, packed in small steps; `form` is zlib's: 15 for zlib, 31 for gzip."""
    packer = zlib.compressobj(9, wbits=form)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB >> 20)) + packer.flush()


def bombs(data: bytes) -> Iterator[bytes]:
    """The same file with a compressed part that unpacks to `BOMB` zeros."""
    if data[:2] == b"\x1f\x8b":
        # Members of a gzip file follow one another: the header, then zeros.
        yield gzip.compress(gzip.decompress(data)[:352]) + packed_zeros(31)
        return
    zeros = base64.b64encode(packed_zeros(15))
    yield from (data[: m.start()] + zeros + data[m.end() :] for m in list(BASE64.finditer(data))[:40:8])


# --- running


def worker(name: str, seed: int, cases: int, seconds: float, folder: Path) -> None:
    """Try one reader on damaged copies of its file; print counts as JSON."""
    from efield.ground.errors import EfieldError

    warnings.simplefilter("ignore")
    path, read = GROUPS[name.split()[0]](folder)[name]
    good = path.read_bytes()
    read(path)  # compiles, imports, and shows that the good file is good
    bad = folder / "bad" / path.name
    bad.parent.mkdir()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    signal.signal(signal.SIGPROF, _too_slow)
    counts: Counter[str] = Counter()
    failures, slowest, end = [], 0.0, time.monotonic() + seconds
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    hostile = bombs(good)
    before = peak_mb()
    while counts["tried"] < cases and time.monotonic() < end:
        data = next(hostile, None) or damaged(good, rng)
        bad.write_bytes(data)
        counts["tried"] += 1
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            read(bad)
            counts["read"] += 1
        except EfieldError as error:
            counts["refused" if str(error).strip() else "without words"] += 1
        except BaseException as error:  # whatever it is, it should not have come out
            failures.append(f"{type(error).__name__}: {str(error)[:120]}")
            kept = Path(tempfile.gettempdir()) / f"efield-fuzz-{len(failures)}-{path.name}"
            kept.write_bytes(data)
            failures[-1] += f" ({kept})"
        signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, time.process_time() - start)
    grown = round(peak_mb() - before)
    print(json.dumps({**counts, "slowest_s": round(slowest, 2), "grown_mb": grown, "failures": failures}))


def peak_mb() -> float:
    """Largest memory of this process so far; what getrusage says starts from that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class TooSlow(BaseException):
    """No reader may catch it."""


def _too_slow(*_: object) -> None:
    raise TooSlow(f"took more than {SECONDS:g} s")


def run(name: str, seed: int, cases: int, seconds: float) -> dict[str, Any]:
    """`worker` in a process of its own; a crash is one failure."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--worker", name, "--seed", str(seed), "--cases", str(cases), "--seconds", str(seconds)]
        command = [sys.executable, __file__, *arguments, "--folder", folder]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        return {"failures": [f"the process ended with {child.returncode}: {last[:200]}"]}
    return json.loads(child.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all readers together")
    parser.add_argument("--cases", type=int, default=10**9, help="at most so many files per reader")
    parser.add_argument("--only", default="", help="readers with this in their name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    for hidden in ("--worker", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.seed, options.cases, options.seconds, Path(options.folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name in kinds(Path(folder), options.only.split(" ")[0]) if options.only in name]
    results = {}
    for name in names:
        results[name] = run(name, options.seed, options.cases, 60 * options.minutes / len(names))
        if not options.json:
            print(_row(name, results[name]), flush=True)
    failed = sum(len(result["failures"]) for result in results.values())
    tried = sum(result.get("tried", 0) for result in results.values())
    print(json.dumps(results) if options.json else f"{tried} files, {failed} failures")
    sys.exit(failed > 0)


def _row(name: str, result: dict[str, Any]) -> str:
    counts = "  ".join(f"{key} {result.get(key, 0):>6}" for key in ("tried", "refused", "read"))
    row = f"{name:<30} {counts}  slowest {result.get('slowest_s', 0):5.2f} s  grown by {result.get('grown_mb', 0)} MB"
    return "\n".join([row, *(f"    FAILED {failure}" for failure in result["failures"])])


if __name__ == "__main__":
    main()
