"""Damaged and hostile files for every reader: each must be read or refused with an error of ours, in bounded memory.

    python benchmarks/fuzz.py [--minutes 5] [--only msh] [--seed 0] [--json]
    python benchmarks/fuzz.py --cases 40

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
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from good_files import GROUPS, kinds

MEMORY = 768 << 20
SECONDS = 20.0
BOMB = 256 << 20

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
