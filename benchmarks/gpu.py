"""Seconds of each step on the CPU and on a GPU, in one run, and how near the GPU comes to its memory's limit.

    python -m benchmarks gpu [--head mni152] [--edge MM] [--placements 64] [--basis] [--out gpu.json]

The same placements are answered by both, from the pose to E in every tetrahedron; the fields are compared. Times of the
GPU are the middle of five, after two runs that compile and record its graph. Bandwidth counts the bytes that a step
has to read and write if every gathered vector comes once from memory ("streamed"), and all bytes that its threads ask
for, most of which the cache answers ("gathered"); the limit is that of a copy on the card, measured in the same run.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import efield as ef
from efield.coils.compressed import compress
from efield.coils.drive import Drive
from efield.fem.gpu import device
from efield.fem.problem import FemProblem
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.sweeping.engines import measure
from efield.targeting.device_primary import primary_of
from efield.targeting.measuring import Measuring

DIDT = 1e6


def seconds(run: Callable[[], object]) -> float:
    """Of one call, the work of the GPU included."""
    from numba import cuda

    cuda.synchronize()
    start = time.perf_counter()
    run()
    cuda.synchronize()
    return time.perf_counter() - start


def typical(run: Callable[[], object], times: int = 5) -> float:
    """The middle of several, after two that are not counted."""
    for _ in range(2):
        run()
    return median(seconds(run) for _ in range(times))


def copy_limit() -> float:
    """Bytes per second that a copy on the card reads and writes."""
    from numba import cuda

    size = 1 << (16 if device.is_simulated() else 27)
    one, other = (cuda.to_device(np.zeros(size)) for _ in range(2))
    return 16.0 * size / typical(lambda: other.copy_to_device(one))


def steps_on_gpu(problem: FemProblem, coil, poses, target, say) -> dict[str, Any]:
    """Milliseconds per placement of each step of a whole block, and what they move."""
    from efield.fem.gpu.steps import run

    mesh, solver = problem._resident, problem._solver
    width = solver.widest
    poses = list(islice(cycle(poses), width))
    found: dict[str, Any] = {"placements together": width}
    for name, exact in (("primary field, direct", True), ("primary field, stored", False)):
        write = primary(problem, coil, poses, exact)
        dadt = mesh_room(problem, width)
        found[name] = say(name, 1e3 * typical(lambda w=write, d=dadt: w(slice(0, width), mesh.points, d)) / width)
    for tol in (1e-6, 1e-8):
        block = mesh._solve(slice(0, width), write, tol)
        name = f"primary field (stored), load and solve to {tol:g}"
        spent = typical(lambda t=tol: mesh._solve(slice(0, width), write, t))
        found[name] = say(f"{name}, {block.iterations} iterations", 1e3 * spent / width)
        found[f"iterations to {tol:g}"] = block.iterations
    found["E of every tetrahedron, copied to the host"] = say(
        "E of every tetrahedron, copied to the host", 1e3 * typical(lambda: list(mesh._fields(block)), 3) / width
    )
    found["E of every tetrahedron, on the card"] = say(
        "E of every tetrahedron, on the card", 1e3 * typical(lambda: fields_on_card(mesh, block)) / width
    )
    found["at the target"] = measured(problem, Measuring(problem, target), block, say)
    _, cycle_steps, _ = solver._cycle.steps(width)
    spent = typical(lambda: run(cycle_steps))
    found["V-cycle, one by one, ms per block"] = say("V-cycle of the block, launched one by one", 1e3 * spent)
    spent = typical(solver._work.iteration)
    found["iteration, ms per block"] = say("one iteration of the block", 1e3 * spent)
    found["recorded as a graph"] = solver._work.iteration.without_graph or "yes"
    return found | {"bytes of an iteration": iteration_bytes(solver, width), "seconds of an iteration": spent}


def primary(problem: FemProblem, coil, poses, exact: bool = False):
    """Writes the primary fields of some poses to the GPU."""
    return primary_of(problem, [(Drive(coil, pose, DIDT),) for pose in poses], lambda _: exact, no_field)


def no_field() -> np.ndarray:
    raise SystemExit("the GPU must evaluate the coil, or a node lies on one of its wires")


def measured(problem: FemProblem, measuring: Measuring, block, say) -> dict[str, float]:
    """Milliseconds per placement of recovery at a target, and of its measures."""
    mesh, width = problem._resident, block.columns
    start = time.perf_counter()
    at = mesh._on_device(measuring.places, problem.patches)
    made = say("sums of the recovery at the target, once", 1e3 * (time.perf_counter() - start))
    look = lambda: at.fields((mesh.points, mesh._tets), block.phi, block.dadt, width)  # noqa: E731
    fields = look()
    found = {"pairs": len(measuring.places.pairs)}
    found["recovery"] = say("recovery at the target", 1e3 * typical(look) / width)
    found["measures"] = say("measures, copied to the host", 1e3 * typical(lambda: measuring(*fields)) / width)
    return found | {"sums of the recovery, once, ms": made}


def mesh_room(problem: FemProblem, width: int):
    """Room for the primary fields of a block."""
    from efield.fem.gpu.steps import room

    problem._solver.load_buffer(width)
    return room((problem._solver.size, 3, width))


def fields_on_card(mesh, block) -> None:
    """E of all columns of a block, left where it is computed."""
    from efield.fem.gpu.steps import room
    from efield.kernels.cuda import elements, launch

    together = min(device.FIELDS_AT_A_TIME, block.columns)
    out = room((together, mesh._tets.shape[0], 3))
    shape = launch.by_row(mesh._tets.shape[0], together)
    for first in range(0, block.columns, together):
        elements.element_field[shape](mesh.points, mesh._tets, mesh._all, block.phi, block.dadt, first, out)


def iteration_bytes(solver, width: int) -> dict[str, float]:
    """Bytes that one iteration streams at least, and that its threads ask for."""
    n, entries = solver.size, len(solver.host.csr[1])
    stored = np.dtype(solver._cycle.steps(1)[0].dtype).itemsize
    # Outer products, updates and sums: direction, image, x and remainder are read and written in float64.
    streamed = entries * 12.0 + n * width * (8 * 10 + 4 * stored)
    gathered = entries * 12.0 + entries * width * 8.0 + n * width * (8 * 9 + 4 * stored)
    for grid in solver.host.preconditioner.grids.matrices[:-1]:
        # Four products with the matrix of each grid: one before, one for what remains, two after.
        streamed += 4 * (grid.nnz * 8.0 + grid.shape[0] * width * 4 * stored)
        gathered += 4 * (grid.nnz * 8.0 + grid.nnz * width * stored + grid.shape[0] * width * 3 * stored)
    return {"streamed": streamed, "gathered": gathered}


def on_cpu(problem: FemProblem, coil, poses, measuring: Measuring, say) -> dict[str, float]:
    """Milliseconds per placement of the same steps on the CPU, a block of sixteen."""
    poses = list(islice(cycle(poses), 16))
    stored = compress(coil)

    def primary() -> np.ndarray:
        return np.stack([stored.dadt(pose, problem.nodes_mm, DIDT) for pose in poses], axis=-1)

    found, dadt = {}, primary()
    found["primary field, stored"] = 1e3 * typical(primary, 1) / 16
    for tol in (1e-6, 1e-8):
        solution = problem.solve(dadt, tol)
        found[f"load and solve to {tol:g}"] = 1e3 * typical(lambda t=tol: problem.solve(dadt, t), 1) / 16
        found[f"iterations to {tol:g}"] = solution.iterations
    spent = typical(lambda: problem.element_field(solution.phi, dadt), 1)
    found["E of every tetrahedron"] = 1e3 * spent / 16
    look = lambda: problem.field_at(solution.phi, dadt, measuring.places)  # noqa: E731
    fields = [np.ascontiguousarray(np.moveaxis(e, 2, 0)) for e in look()]
    found["recovery at the target"] = 1e3 * typical(look, 1) / 16
    found["measures"] = 1e3 * typical(lambda: measuring(*fields), 1) / 16
    for name, value in found.items():
        say(f"CPU: {name}", value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--edge", type=float, help="a sphere of this edge length in mm instead")
    parser.add_argument("--placements", type=int, default=64)
    parser.add_argument("--basis", action="store_true", help="build a certified basis of the hand area, too")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    options = parser.parse_args()
    if device.why_not() is not None:
        raise SystemExit(f"this measures a GPU, and {device.why_not()}")

    def say(name: str, value: float) -> float:
        print(f"  {name:<58} {value:10.3f} ms", flush=True)
        return value

    head = ef.load_head(options.head) if options.edge is None else sphere_head(edge_mm=options.edge)
    coil, target = ef.load_coil("magstim-70mm-figure8"), ef.m1_hand(head)
    poses = [ef.place_coil(head, target, a, coil=coil) for a in np.linspace(0, 350, min(options.placements, 16))]
    print(f"{device.name()}; {len(head.points):,} nodes, {len(head.tets):,} tetrahedra", flush=True)
    sigma = Conductivity().per_tet(head)
    document: dict[str, Any] = {"device": device.name(), "nodes": len(head.points), "tets": len(head.tets)}
    problems = {}
    for name in ("cpu", "cuda", "cuda again"):
        start = time.perf_counter()
        problems[name] = FemProblem(head, sigma, solver="multigrid", device=name.split()[0])
        document[f"set-up, {name}, s"] = say(f"set-up, {name}", 1e3 * (time.perf_counter() - start)) / 1e3
    gpu = problems.pop("cuda")
    del problems["cuda again"]
    document["copy limit, GB/s"] = copy_limit() / 1e9
    document["gpu, ms per placement"] = found = steps_on_gpu(gpu, coil, poses, target, say)
    moved, spent = found["bytes of an iteration"], found["seconds of an iteration"]
    for name, size in moved.items():
        reached = size / spent / 1e9
        document[f"iteration, {name}, GB/s"] = reached
        print(
            f"  {name}: {reached:.0f} GB/s; a copy on the card reaches {document['copy limit, GB/s']:.0f}", flush=True
        )
    document["cpu, ms per placement"] = on_cpu(problems["cpu"], coil, poses, Measuring(problems["cpu"], target), say)
    document["difference of E"] = difference(problems["cpu"], gpu, coil, poses[:4])
    print(f"  largest difference of E, over the largest E: {document['difference of E']:.1e}")
    document["whole calls, ms"] = whole_calls(options, head, coil, poses, say)
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(f"written: {options.out}")


def difference(cpu: FemProblem, gpu: FemProblem, coil, poses) -> float:
    """Largest difference of E in any tetrahedron, over the largest E."""
    dadt = np.stack([compress(coil).dadt(pose, cpu.nodes_mm, DIDT) for pose in poses], axis=-1)
    pairs = zip(cpu.answers(dadt, len(poses)), gpu.answers(dadt, len(poses)), strict=True)
    return max(float(np.abs(one.e - other.e).max() / np.abs(one.e).max()) for one, other in pairs)


def whole_calls(options, head, coil, poses, say) -> dict[str, float]:
    """What a user sees: `solve_many` with every field on the host, a sweep's measures, and a basis."""
    found = {}
    sim = ef.Simulator(head, device="cuda", solver="multigrid")
    many = list(islice(cycle(poses), options.placements))
    each = 1e3 * typical(lambda: [None for _ in sim.solve_many(coil, many, exact=False)], 3) / len(many)
    found["solve_many, per placement"] = say("solve_many, each field on the host", each)
    sweep = lambda: measure(sim, coil, many, ef.m1_hand(head), exact=False, allow_collision=True)  # noqa: E731
    found["measures, per placement"] = say("measures of a sweep", 1e3 * typical(sweep, 3) / len(many))
    if options.basis:
        start = time.perf_counter()
        basis = ef.ReducedBasis.build(sim, coil, ef.m1_hand(head))
        found["basis of the hand area"] = say("basis of the hand area", 1e3 * (time.perf_counter() - start))
        print(basis.certificate)
    return found


if __name__ == "__main__":
    main()
