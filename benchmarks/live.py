"""Pose in to measures out: milliseconds over a real socket, beside the engine's own time.

    python -m benchmarks live [--head NAME | --edge-mm MM] [--region-mm MM] [--basis FOLDER] [--poses N] [--pace MS]

A server of OpenIGTLink in a process of its own answers with a reduced basis; a client of raw sockets in this one sends
poses inside the basis's patch, a few milliseconds apart, and takes the time until the measures are read. `--basis`
keeps the basis in a folder for the next run. The load of the machine is printed with the times: they mean little on a
busy one. Wanted on two idle cores, for 10,000 tetrahedra or more: median 3 ms, 99 % within 10 ms.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import efield as ef
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head
from efield.nav import openigtlink as igtl

COIL, TARGET = "magstim-70mm-figure8", "m1-hand-left"


def prepared(options: argparse.Namespace, folder: Path) -> tuple[str, Path, ef.ReducedBasis]:
    """The head as the command takes it, the basis's folder, and the basis."""
    head_name = options.head or str(folder / "head.msh")
    if options.head is None:
        write_head(head_name, sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=options.edge_mm))
    head, coil = ef.load_head(head_name), ef.load_coil(COIL)
    sim = ef.Simulator(head)
    where = options.basis or folder / "basis"
    if where.exists():
        return head_name, where, ef.ReducedBasis.load(where, sim, coil)
    center = ef.m1_hand(head)
    basis = ef.ReducedBasis.build(
        sim, coil, center, radius_mm=10.0, tilt_deg=5.0, region_radius_mm=options.region_mm, tol=0.005, progress=True
    )
    basis.save(where)
    return head_name, where, basis


def walk(basis: ef.ReducedBasis, count: int) -> list[np.ndarray]:
    """Poses inside the patch, as a hand would move: small steps, all angles."""
    low, high = basis.patch.distance_mm
    pose = ef.place_coil(basis.sim.head, basis.target.center_mm, 45.0, (low + high) / 2, coil=basis.coil)
    found, angle, rng = [], 0.0, np.random.default_rng(0)
    while len(found) < count:
        angle += np.radians(rng.normal(0, 3))
        c, s = np.cos(angle), np.sin(angle)
        matrix = pose.moved((*rng.uniform(-3, 3, 2), 0.0)).matrix.copy()
        matrix[:3, :3] = matrix[:3, :3] @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        if not basis.outside(ef.Pose(matrix)):
            found.append(matrix)
    return found


def received(connection: socket.socket, count: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise SystemExit("the server hung up")
        data += piece
    return data


def asked(connection: socket.socket, matrix: np.ndarray, number: int) -> dict:
    """The answer to one pose."""
    message = igtl.Message("TRANSFORM", "CoilToRefe", igtl.transform_content(matrix), time.time(), 2, number)
    connection.sendall(igtl.packed(message))
    size = struct.unpack(">Q", received(connection, 58)[42:50])[0]
    return json.loads(received(connection, size)[16:-2])


def started(head: str, basis: Path, *more: str) -> tuple[subprocess.Popen, int]:
    """The command, and the port on which it answers."""
    command = [sys.executable, "-c", "from efield.app.cli import main; main()", "serve", "--head", head, "--coil", COIL]
    where = ["--basis", str(basis), "--openigtlink", "0", *more]
    server = subprocess.Popen([*command, *where, "--json"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, json.loads(server.stdout.readline())["openigtlink"]


def percentiles(values: list[float]) -> str:
    """Median, 99 % and the largest, in ms."""
    low, high, most = np.percentile(values, [50, 99, 100])
    return f"median {low:7.2f}   99 % {high:7.2f}   largest {most:7.2f} ms"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What is served."""
    parser.add_argument("--head", help="a shipped head or a file; a layered sphere unless given")
    parser.add_argument("--edge-mm", type=float, default=4.0, help="of the sphere's mesh")
    parser.add_argument("--region-mm", type=float, default=30.0)
    parser.add_argument("--basis", type=Path, help="folder of a basis; built there if it does not exist")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--poses", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=10.0, help="milliseconds from an answer to the next pose")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        head, where, basis = prepared(options, Path(folder))
        matrices = walk(basis, options.poses)
        print(f"{len(basis.tets):,} tetrahedra in the region, {len(basis.target.tets(basis.sim.head)):,} in the target")
        server, port = started(head, where)
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                times, answers = [], []
                for number, matrix in enumerate(matrices, 1):
                    begin = time.perf_counter()
                    answers.append(asked(connection, matrix, number))
                    times.append(1e3 * (time.perf_counter() - begin))
                    time.sleep(options.pace / 1e3)
        finally:
            server.terminate()
            server.communicate(timeout=30)
    assert all(answer["status"] == "ok" for answer in answers)
    print(f"{len(times)} poses; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"pose in to measures out  {percentiles(times)}")
    print(f"in the server            {percentiles([answer['age_ms'] for answer in answers])}")
    print(f"the engine's own time    {percentiles([answer['engine_ms'] for answer in answers])}")


if __name__ == "__main__":
    main()
