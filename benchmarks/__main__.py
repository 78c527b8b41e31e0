"""Seconds per phase of one simulation, peak memory, and ratios to plain alternatives measured in the same run.

    python -m benchmarks [--edges 4.1 1.9] [--out benchmarks.json]
    python -m benchmarks NAME [options]    # another script of this folder, such as live or soak

Edges of 4.1 mm give about 65 thousand nodes, 1.9 mm about 650 thousand. Every size runs in its own process, so that
the peak memory is that size's own; kernels are compiled (or loaded from disk) on a small head before the clock starts,
and that time is reported apart. The alternatives: (a) the primary field as a direct sum over the coil's wires at every
node; (b) scikit-fem's assembly of the same stiffness matrix, and one right-hand side solved by pyamg's Ruge-Stuben
multigrid with conjugate gradients (needs `pip install ".[test]"`).
"""

import argparse
import json
import os
import platform
import resource
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import efield as ef
from efield.coils.compressed import compress
from efield.coils.primary import dadt
from efield.fem.problem import FemProblem
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head

BLOCK = 16
TOL = 1e-8


class Phases:
    """Seconds of named phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str):
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        print(f"  {name:<44} {self.seconds[name]:9.3f} s", flush=True)


def measure(edge_mm: float) -> dict[str, Any]:
    """All phases on a sphere head of one mesh size."""
    head, coil = sphere_head(edge_mm=edge_mm), ef.load_coil("magstim-70mm-figure8")
    print(f"{len(head.points):,} nodes, {len(head.tets):,} tetrahedra", flush=True)
    target = ef.m1_hand(head)
    poses = [ef.place_coil(head, target, angle, coil=coil) for angle in np.linspace(0, 337.5, BLOCK)]
    phase = Phases()
    compress.cache_clear()
    with phase("primary field, direct sum (a)"):
        direct = dadt(coil, poses[0], head.points, 1e6)
    with phase("storing the coil's vector potential, once"):
        stored = compress(coil)
    with phase("primary field, stored"):
        primary = stored.dadt(poses[0], head.points, 1e6)
    error = float(np.linalg.norm(primary - direct, axis=1).max() / np.linalg.norm(direct, axis=1).max())
    sigma = Conductivity().per_tet(head)
    with phase("assembly and solver set-up"):
        problem = FemProblem(head, sigma, tol=TOL, solver="multigrid")
    with phase("right-hand side and solve, one"):
        solution = problem.solve(primary)
    block = np.stack([stored.dadt(pose, head.points, 1e6) for pose in poses], axis=-1)
    with phase(f"right-hand sides and solve, block of {BLOCK}"):
        problem.solve(block)
    with phase("field per tetrahedron"):
        problem.element_field(solution.phi, primary)
    with phase("recovery within tissues"):
        _ = problem.recovered_field(solution.phi, primary).field  # nothing is recovered before it is asked for
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    phi = baseline(head, sigma, problem, primary, phase)
    ours = solution.phi - solution.phi.mean()
    return {
        "edge_mm": edge_mm,
        "nodes": len(head.points),
        "tets": len(head.tets),
        "seconds": phase.seconds,
        "peak_memory_gb": peak,
        "iterations": solution.iterations,
        "primary_error_of_peak": error,
        "difference_to_baseline": float(np.linalg.norm(ours - phi) / np.linalg.norm(phi)),
        "load_average": os.getloadavg()[0],
        "ratios": ratios(phase.seconds),
    }


def baseline(head, sigma, problem, primary, phase: Phases) -> np.ndarray:
    """Potential from scikit-fem's matrix and pyamg's Ruge-Stuben CG, zero mean."""
    import pyamg
    import skfem
    from skfem.helpers import dot, grad

    with phase("scikit-fem assembly (b)"):
        mesh = skfem.MeshTet(np.ascontiguousarray(head.points.T) / 1e3, np.ascontiguousarray(head.tets.T))
        basis = skfem.Basis(mesh, skfem.ElementTetP1(), intorder=1)
        weights = basis.with_element(skfem.ElementTetP0()).interpolate(sigma)
        matrix = skfem.BilinearForm(lambda u, v, w: w.sigma * dot(grad(u), grad(v))).assemble(basis, sigma=weights)
    load = problem._elements.load(np.ascontiguousarray(primary[:, :, None]))[:, 0]
    with phase("pyamg Ruge-Stuben set-up (b)"):
        hierarchy = pyamg.ruge_stuben_solver(matrix.tocsr())
    with phase("pyamg Ruge-Stuben CG, one (b)"):
        phi = hierarchy.solve(load, tol=TOL, accel="cg", maxiter=300)
    return phi - phi.mean()


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """How many times faster than the alternatives."""
    plain = seconds["pyamg Ruge-Stuben CG, one (b)"]
    set_up = seconds["scikit-fem assembly (b)"] + seconds["pyamg Ruge-Stuben set-up (b)"]
    return {
        "primary field": seconds["primary field, direct sum (a)"] / seconds["primary field, stored"],
        "assembly and set-up": set_up / seconds["assembly and solver set-up"],
        "solve, one": plain / seconds["right-hand side and solve, one"],
        "solve, each of a block": plain / (seconds[f"right-hand sides and solve, block of {BLOCK}"] / BLOCK),
    }


def machine() -> dict[str, Any]:
    """Facts about this machine that the times depend on."""
    packages = ("numpy", "scipy", "numba", "pyamg", "scikit-fem")
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def in_own_process(edge_mm: float) -> dict[str, Any]:
    """`measure` in a child process, its lines passed on."""
    command = [sys.executable, "-m", "benchmarks", "--only", str(edge_mm)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            if not line.startswith("{"):
                print(line, end="", flush=True)
    if child.returncode:
        raise SystemExit(f"the benchmark at {edge_mm} mm failed")
    return json.loads(lines[-1])


def warm(run: Callable[[], object]) -> float:
    """Seconds of a first run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name.isidentifier() and Path(__file__).with_name(f"{name}.py").is_file():
        sys.argv = [f"benchmarks {name}", *sys.argv[2:]]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=float, nargs="+", default=[4.1, 1.9], help="mesh sizes in mm")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--only", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        with open(os.devnull, "w") as quiet:
            loud, sys.stdout = sys.stdout, quiet
            measure(14.0)
            sys.stdout = loud
        print(json.dumps(measure(options.only)))
        return
    importing = warm(lambda: subprocess.run([sys.executable, "-c", "import efield"], check=True))
    compiling = warm(
        lambda: subprocess.run([sys.executable, "-m", "benchmarks", "--only", "14"], check=True, stdout=-3)
    )
    print(
        f"import efield, with the interpreter: {importing:.2f} s; compiling or loading the kernels: {compiling:.1f} s"
    )
    results = [in_own_process(edge) for edge in options.edges]
    for result in results:
        print(f"{result['nodes']:,} nodes: {result['peak_memory_gb']:.2f} GB, {result['iterations']} iterations")
        print("  times faster: " + ", ".join(f"{name} {value:.1f}" for name, value in result["ratios"].items()))
    document = {"machine": machine(), "import_s": importing, "compile_s": compiling, "results": results}
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
