"""What the reader tests share: foreign files, a small mesh, and ways to damage a file."""

import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from efield.ground.errors import EfieldError
from efield.io.meshes.meshdata import MeshData

#: A small damaged file must never make a reader ask for more than this (bytes).
MEMORY_LIMIT = 192 << 20


def pytest_collection_modifyitems(items):
    """What is read here is small, and a warning that it is a piece of a head says nothing new."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:the (mesh is only|head's outer surface)"))


#: What zlib calls a stream of gzip.
GZIP = 16 + zlib.MAX_WBITS


def packed_zeros(megabytes: int, wbits: int = zlib.MAX_WBITS) -> bytes:
    """As many zeros in one whole stream of zlib or gzip: one megabyte is packed, and repeated."""
    piece, packer = bytes(1 << 20), zlib.compressobj(9, wbits=wbits)
    first, more = (packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    gzip, check, end = wbits == GZIP, 0 if wbits == GZIP else 1, packer.flush()
    for _ in range(megabytes):
        check = zlib.crc32(piece, check) if gzip else zlib.adler32(piece, check)
    size = (megabytes << 20).to_bytes(4, "little")
    trailer = check.to_bytes(4, "little") + size if gzip else check.to_bytes(4, "big")
    return first + (megabytes - 1) * more + end[: -len(trailer)] + trailer


@pytest.fixture(scope="session")
def foreign() -> Callable[[str], Path]:
    """Path of a file written by another program; the test is skipped where the folder is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "foreign"
    folder = Path(os.environ.get("EFIELD_FOREIGN_DATA", beside))

    def path(name: str) -> Path:
        if not (folder / name).is_file():
            pytest.skip(f"{name} is not here; set EFIELD_FOREIGN_DATA to the folder that has it")
        return folder / name

    return path


@pytest.fixture(scope="session")
def mesh() -> MeshData:
    """A cube of 60 mm in 2 x 2 x 2 cells of 6 tetrahedra, with triangles, two tags and fields."""
    axis = np.array([0.0, 30.0, 60.0])
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.array([9 * i + 3 * j + k for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    tets = np.concatenate(
        [np.column_stack([corner, corner + a, corner + a + b, corner + 13]) for a, b, _ in permutations((9, 3, 1))]
    )
    p = points[tets]
    flipped = np.linalg.det(p[:, 1:] - p[:, :1]) < 0
    tets[flipped] = tets[flipped][:, [0, 2, 1, 3]]
    triangles = tets[:7, :3]
    rng = np.random.default_rng(1)
    return MeshData(
        points=points + rng.uniform(-2, 2, points.shape),
        tets=tets.astype(np.int32),
        tissue=np.arange(len(tets)) % 3 + 1,
        tet_entities=np.arange(len(tets)) % 5 + 1,
        triangles=triangles,
        triangle_tags=np.full(7, 1005),
        triangle_entities=np.arange(7) + 1001,
        node_data={"v": rng.normal(size=27)},
        element_data={"E": rng.normal(size=(48, 3)), "magnE": rng.normal(size=48)},
        triangle_data={"magnE": rng.normal(size=7)},
    )


@pytest.fixture(scope="session")
def refuses() -> Callable[[Callable[[], object]], str]:
    """Call a reader that must fail with an error of ours, in bounded memory; returns the message."""

    def check(read: Callable[[], object]) -> str:
        tracemalloc.start()
        try:
            with pytest.raises(EfieldError) as caught:
                read()
            assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
        finally:
            tracemalloc.stop()
        return str(caught.value)

    return check


@pytest.fixture(scope="session")
def survives() -> Callable[[Callable[[], object]], bool]:
    """Call a reader on a damaged file: it may succeed or refuse, in bounded memory, and do nothing else."""

    def check(read: Callable[[], object]) -> bool:
        tracemalloc.start()
        try:
            read()
            return True
        except EfieldError:
            return False
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < MEMORY_LIMIT

    return check


@pytest.fixture(scope="session")
def damaged() -> Callable[[bytes, int], Iterator[bytes]]:
    """Copies of some bytes with one to four bytes changed, a stretch cut out, or a stretch repeated."""

    def copies(data: bytes, count: int) -> Iterator[bytes]:
        rng = np.random.default_rng(7)
        for k in range(count):
            changed = bytearray(data)
            a, b = sorted(rng.integers(0, len(data), 2).tolist())
            if k % 4 == 3:
                yield data[:a] + (data[b:] if k % 8 == 3 else data[a : a + 64] + data[a:])
                continue
            # Headers are short and matter most: aim half of the changes at the first bytes.
            reach = min(len(data), 400) if k % 2 else len(data)
            for place in rng.integers(0, reach, 1 + k % 4):
                changed[place] = rng.integers(0, 256) if k % 3 else changed[place] ^ (1 << rng.integers(0, 8))
            yield bytes(changed)

    return copies
