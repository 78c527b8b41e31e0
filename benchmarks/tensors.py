"""What tensors cost, and what they do to the accuracy of the field, with made-up fibers that turn.

    python benchmarks/tensors.py cost [sphere] [mni152]
    python benchmarks/tensors.py turning
    python benchmarks/tensors.py same [sphere] [mni152]

"cost": seconds and iterations with and without tensors, two rounds. "turning": relative L2 error in the gray matter
under the coil of a sphere head of 6 mm edges, against second-order elements of 3.5 mm edges. "same": the field with
tensors of equal eigenvalues against that without tensors, and what fibers change, tissue by tissue.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import efield as ef
from efield.coils.primary import dadt
from efield.fem.assembly import LinearElements
from efield.fem.problem import FemProblem
from efield.fem.recovery import Patches
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.head.tensor_field import TensorField
from efield.targeting.validation import validation_coil

#: The coil's winding 10 mm above the top of the head, facing down.
POSE = np.array([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])


def fibers(length_mm: float, half_mm: float = 112.5, spacing_mm: float = 2.5) -> TensorField:
    """Eigenvalues of 1.6, 0.3 and 0.3e-3 mm^2/s; the fibers turn by a radian in about the given length."""
    axis = np.arange(-half_mm, half_mm + spacing_mm / 2, spacing_mm) / length_mm
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    along = np.stack([np.cos(x) + 0.3 * np.sin(z), np.sin(y + x / 1.5), np.cos(z - y) + 0.2], axis=-1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    affine = np.diag((spacing_mm, spacing_mm, spacing_mm, 1.0))
    affine[:3, 3] = -half_mm
    return TensorField(0.3e-3 * np.eye(3) + 1.3e-3 * along[..., :, None] * along[..., None, :], affine)


def pose_above(head: HeadMesh) -> Pose:
    matrix = POSE.copy()
    matrix[:3, 3] = (*head.points.mean(axis=0)[:2], head.points[:, 2].max() + 10)
    return Pose(matrix)


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return action(), time.perf_counter() - start


def cost(name: str) -> None:
    head = ef.load_head(name)
    given = Conductivity().with_tensors(fibers(25.0))
    tensors, seconds = timed(lambda: given.per_tet(head))
    print(f"{name}: {len(head.tets)} tetrahedra; tensors sampled in {seconds:.1f} s, {tensors.nbytes / 1e6:.0f} MB")
    primary = dadt(validation_coil(), pose_above(head), head.points, 1e6)
    for _ in range(2):
        for kind, sigma in (("isotropic", Conductivity().per_tet(head)), ("tensors", tensors)):
            problem, prepare = timed(lambda sigma=sigma: FemProblem(head, sigma, solver="multigrid"))
            _, assembly = timed(problem.linear.stiffness)
            solution, solve = timed(lambda problem=problem: problem.solve(primary))
            _, recover = timed(lambda problem=problem, phi=solution.phi: problem.recovered_field(phi, primary).field)
            print(
                f"  {kind:<9} prepare {prepare:5.2f} s, of it assembly {assembly:5.2f} s; solve {solve:5.2f} s, "
                f"{solution.iterations} iterations; recover {recover:5.2f} s",
                flush=True,
            )


def turning() -> None:
    coarse, fine, coil = sphere_head(edge_mm=6.0), sphere_head(edge_mm=3.5), validation_coil()
    pose = pose_above(coarse)
    x, y, z = coarse.barycenters.T
    chosen = np.flatnonzero((coarse.tissue == 2) & (np.hypot(x, y) < 30) & (z > 40))
    places, weight = coarse.barycenters[chosen], coarse.volumes[chosen]

    def solved(head: HeadMesh, given: Conductivity, order: int) -> tuple[FemProblem, Any, Any]:
        problem = FemProblem(head, given.per_tet(head), order=order, solver="multigrid")
        primary = dadt(coil, pose, problem.nodes_mm, 1e6)
        return problem, problem.solve(primary).phi, primary

    kinds = {"none": Conductivity()}
    kinds |= {f"{length:g} mm": Conductivity().with_tensors(fibers(length)) for length in (60.0, 25.0, 10.0)}
    for name, given in kinds.items():
        best, phi, primary = solved(fine, given, 2)
        truth = best.recovered_field(phi, primary).at(places)
        first, phi, primary = solved(coarse, given, 1)
        plain = LinearElements(first.linear.points, coarse.tets, np.ones(len(coarse.tets)))
        fields = {
            "element": first.element_field(phi, primary)[chosen],
            "recovered": first.recovered_field(phi, primary).at(places),
            "as if isotropic": Patches(coarse, plain).recovered(phi, primary).at(places),
        }
        second, phi, primary = solved(coarse, given, 2)
        fields["second order"] = second.element_field(phi, primary)[chosen]
        size = np.sqrt(weight @ (truth**2).sum(axis=1))
        errors = {kind: np.sqrt(weight @ ((e - truth) ** 2).sum(axis=1)) / size for kind, e in fields.items()}
        print(f"{name:<6}" + "".join(f"  {kind} {error:.4f}" for kind, error in errors.items()), flush=True)


def same(name: str) -> None:
    head, coil = ef.load_head(name), ef.load_coil("magstim-70mm-figure8")
    pose = ef.place_coil(head, ef.m1_hand(head), coil=coil)
    grid = fibers(25.0)
    equal = TensorField(np.broadcast_to(1e-3 * np.eye(3), (*grid.values.shape[:3], 3, 3)), grid.affine)
    plain = ef.Simulator(head, solver="multigrid").solve(coil, pose).e
    for kind, tensors in (("equal eigenvalues", equal), ("fibers", grid)):
        given = Conductivity().with_tensors(tensors)
        found = ef.Simulator(head, given, solver="multigrid").solve(coil, pose).e
        print(f"{name}, {kind}: largest difference {np.abs(found - plain).max() / np.abs(plain).max():.1e} of the peak")
        for tag in head.tags:
            weight = head.volumes * (head.tissue == tag)
            off, size = (np.sqrt(weight @ (e**2).sum(axis=1)) for e in (found - plain, plain))
            print(f"  tissue {tag}: relative L2 difference {off / size:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "turning", "same"))
    parser.add_argument("heads", nargs="*", default=["sphere"], help="of cost and same: sphere, mni152")
    options = parser.parse_args()
    if options.what == "turning":
        turning()
    for name in options.heads if options.what != "turning" else ():
        (cost if options.what == "cost" else same)(name)


if __name__ == "__main__":
    main()
