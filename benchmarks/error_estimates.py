"""How good are the estimates of numerical errors? Fills the table of estimates of docs/accuracy.md.

    python benchmarks/error_estimates.py [--only sphere folded delaunay foreign]

Every measure of a summary is compared with the truth on the same surfaces, and so is its error's estimate. The truth
is the closed form on spheres; elsewhere second order, with all edges around the target halved twice on coarse meshes,
once in folded parts, and not again where those are refined. The heads: spheres of our own lattice, Delaunay meshes of
random points (as other programs make them), what lies within 23 mm of the hand, leg and face area of the default
head, with and without refinement, Delaunay meshes of the same places with the tissues of the default head, and, where
EFIELD_FOREIGN_DATA is a folder that has it, `sphere3.msh`. Random points leave cracks where the flattest tetrahedra
were: the truth is on the same cracked mesh.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

import efield as ef
from efield.coils.compressed import compress
from efield.fem.enrichment import EnrichedField, SecondOpinion
from efield.fem.problem import FemProblem
from efield.ground.errors import EfieldError
from efield.head.conductivity import Conductivity
from efield.head.locate import locator_of
from efield.head.mesh import HeadMesh
from efield.head.refinement import RefinedHead, refined_head
from efield.head.spheres import sphere_head
from efield.head.tissue import WHITE_MATTER
from efield.targeting.errors import estimated_errors, measures_of
from efield.targeting.measures import middle_of
from efield.targeting.summary import Measured
from efield.targeting.targets import Target
from efield.targeting.validation import closed_form, validation_coil

ANGLES = (45.0, 110.0)
RADII = (70.0, 73.0, 79.0, 85.0)
#: Of the parts of the default head.
PART_MM = 23.0
#: An error below this share of the value is no error, and neither is an estimate below it.
NONE = 0.003
KINDS = {
    "means": ("mean_magnitude", "mean_vector", "along", "across", "normal_mean", "tangential_mean"),
    "percentiles": ("p50_magnitude", "p99_magnitude", "normal_in_p99", "normal_out_p99"),
    "largest": ("max_magnitude",),
    "whole gray matter": ("peak", "focality_50", "focality_75"),
}
KINDS |= {
    f"{kind}, middle of the cortex": tuple(map("midsurface_".__add__, KINDS[kind])) for kind in ("means", "percentiles")
}


@dataclass(frozen=True)
class Case:
    """A head, a target on it and placements; the truth of each is second order unless it is given."""

    group: str
    head: HeadMesh
    target: Target
    poses: list[ef.Pose]
    coil: ef.Coil
    radii_mm: tuple[float, ...]
    closed: bool = False


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The closed form, asked for as a second opinion is."""

    head: HeadMesh
    coil: ef.Coil
    pose: ef.Pose

    def at(self, tets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        places = np.einsum("qk,qkd->qd", weights, self.head.points[self.head.tets[tets]])
        return closed_form(self.coil, self.pose, places, 1e6)


class SameRegion(Target):
    """A target on a finer head, with the very region that it had."""

    def tets(self, head: HeadMesh) -> np.ndarray:
        return np.array(self.note)


def same_region(target: Target, head: HeadMesh, parents: np.ndarray) -> Target:
    children = np.flatnonzero(np.isin(parents, target.tets(head)))
    return SameRegion(target.name, target.center_mm, target.radius_mm, target.tags, target.direction, note=children)


def second_order(head: HeadMesh, case: Case) -> list[SecondOpinion]:
    """The fields of second order on a head, one for each placement."""
    problem = FemProblem(head, Conductivity().per_tet(head), order=2, solver="multigrid", tol=1e-7)
    stored, n, edges = compress(case.coil), len(head.points), problem.linear.edges
    dadt = np.stack([stored.dadt(pose, problem.nodes_mm, 1e6) for pose in case.poses], axis=-1)
    phi = problem.solve(dadt).phi
    bubbles = phi[n:] - phi[edges].mean(axis=1)
    return [
        EnrichedField(problem.linear, *map(np.ascontiguousarray, (phi[:n, k], dadt[:n, :, k], bubbles[:, k])))
        for k in range(len(case.poses))
    ]


def compare(case: Case) -> Iterator[tuple[str, float, float, float]]:
    """(measure, value, its error, the estimate of the error) for all placements of a case."""
    finer = RefinedHead(case.head, np.arange(len(case.head.tets)))
    if case.radii_mm:
        finer = refined_head(case.head, case.target.center_mm, case.radii_mm, surface_mm=0.0)
    target = same_region(case.target, case.head, finer.parents)
    if case.closed:
        truths = [ClosedForm(finer.head, case.coil, pose) for pose in case.poses]
    else:
        truths = second_order(finer.head, case)
    simulator = ef.Simulator(case.head, solver="multigrid", check_mesh=False)
    print(f"{case.group}: {len(case.head.points):,} and {len(finer.head.points):,} nodes", flush=True)
    for field, truth in zip(simulator.solve_many(case.coil, case.poses, 1e6), truths, strict=True):
        true, summary = measures_of(truth, finer.head, target), field.summary(case.target)
        e, exact = field.in_tets(case.target.tets(case.head)), truth_at_parents(truth, target, finer, case)
        off, size = np.linalg.norm(e - exact, axis=1), np.linalg.norm(e, axis=1)
        true["max_magnitude"] = np.linalg.norm(exact[np.argmax(size)])  # at its own place: there is no other limit
        print(f"   at centers of the target {np.sqrt((off**2).sum() / (size**2).sum()):.2%}", flush=True)
        measures = dict(summary.measures)
        if WHITE_MATTER in case.head.tags:
            true |= (middle := on_middle(case, finer.head, field, truth))[0]
            measures |= middle[1]
        for name, one in measures.items():
            if name in true and name != "peak_place" and one.error is not None and one.value is not None:
                yield name, one.value, abs(one.value - true[name]), one.error
                if name in ("mean_magnitude", "p99_magnitude", "max_magnitude", "normal_mean", "peak"):
                    share = (100 * x / abs(true[name]) for x in (one.value - true[name], one.error))
                    print("      {:<18} off {:+7.2f} %, estimate {:6.2f} %".format(name, *share), flush=True)


def on_middle(case, finer_head, field, truth):
    """Measures of the truth on the middle of the cortex, at its places in the coarse head, and those reported there."""
    vertices, places = middle_of(case.head, case.target)
    values = vertices.of_vertices(field.at(places))
    errors = estimated_errors(field, case.target, values)
    reported = {name: Measured(value, "", "", errors[name]) for name, value in values.items()}
    return vertices.of_vertices(truth.at(*locator_of(finer_head).find(places))), reported


def truth_at_parents(truth, target, finer, case):
    """(k, 3) mean of the truth over each of the target's tetrahedra."""
    tets = target.tets(finer.head)
    e = truth.at(tets, np.full((len(tets), 4), 0.25))
    own = case.target.tets(case.head)
    row, volume = np.searchsorted(own, finer.parents[tets]), finer.head.volumes[tets]
    sums = [np.bincount(row, volume * e[:, k], len(own)) for k in range(3)]
    return np.stack(sums, axis=1) / np.bincount(row, volume, len(own))[:, None]


def placed(head: HeadMesh, target: Target, coil: ef.Coil) -> list[ef.Pose]:
    return [ef.place_coil(head, target, angle, coil=coil) for angle in ANGLES]


def spheres() -> Iterator[Case]:
    coil = validation_coil()
    for edge in (8.0, 5.66):
        head = sphere_head(RADII, (2, 3, 4, 5), edge_mm=edge)
        hand = ef.m1_hand(head)
        deep = Target.sphere(center_mm=0.8 * hand.center_mm, radius_mm=15.0, direction=hand.direction)
        for target in (hand, deep):
            yield Case("sphere", head, target, placed(head, hand, coil), coil, (20.0, 20.0), closed=True)


def delaunay(points: np.ndarray, tag_at: Callable[[np.ndarray], np.ndarray]) -> HeadMesh:
    """Tetrahedra between random points, each of the tissue at its center, 0 is air; the flattest are left out."""
    tets = Delaunay(points).simplices
    six = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]])
    longest = np.linalg.norm(points[tets[:, [0, 0, 0, 1, 1, 2]]] - points[tets[:, [1, 2, 3, 2, 3, 3]]], axis=2).max(
        axis=1
    )
    tag = tag_at(points[tets].mean(axis=1))
    keep = (np.abs(six) > 1e-3 * longest**3) & (tag > 0)
    tets = np.where((six > 0)[:, None], tets, tets[:, [0, 1, 3, 2]])[keep]
    used, number = np.unique(tets, return_inverse=True)
    return HeadMesh(points[used], number.reshape(-1, 4).astype(np.int32), tag[keep])


def random_points(center_mm: np.ndarray, radius_mm: float, edge_mm: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    axis = np.arange(-radius_mm, radius_mm + edge_mm, edge_mm)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    grid += rng.uniform(-0.3, 0.3, grid.shape) * edge_mm
    return center_mm + grid[np.linalg.norm(grid, axis=1) < radius_mm]


def delaunay_spheres() -> Iterator[Case]:
    coil = validation_coil()
    whole = sphere_head(RADII, (2, 3, 4, 5), edge_mm=8.0)
    hand = ef.m1_hand(whole)
    for seed, edge in enumerate((8.0, 6.0)):
        points = random_points(np.zeros(3), RADII[-1], edge, seed)
        head = delaunay(points, lambda x: 2 + np.searchsorted(RADII[:-1], np.linalg.norm(x, axis=1)))
        yield Case("sphere, Delaunay", head, hand, placed(whole, hand, coil), coil, (20.0, 16.0))


def foreign() -> Iterator[Case]:
    path = Path(os.environ.get("EFIELD_FOREIGN_DATA", "")) / "sphere3.msh"
    if path.is_file():
        head, coil = ef.load_head(path), validation_coil()
        head = replace(head, tissue=np.choose(np.searchsorted((3, 4), head.tissue), (2, 4, 5)))
        top = Target.sphere(center_mm=(0, -40, 70), radius_mm=15.0, direction=(1, 0, 0))
        yield Case("sphere3.msh", head, top, placed(head, top, coil), coil, (30.0, 24.0))


def motor(whole: HeadMesh) -> list[Target]:
    return [ef.m1_hand(whole), ef.m1_leg(whole), ef.m1_face(whole)]


def folded() -> Iterator[Case]:
    whole, coil = ef.load_head("mni152"), ef.load_coil("magstim-70mm-figure8")
    for target in motor(whole):
        poses = placed(whole, target, coil)
        near = np.linalg.norm(whole.barycenters - target.center_mm, axis=1) < PART_MM
        used, number = np.unique(whole.tets[near], return_inverse=True)
        head = HeadMesh(whole.points[used], number.reshape(-1, 4).astype(np.int32), whole.tissue[near])
        yield Case("folded", head, target, poses, coil, (11.0,))
        finer = refined_head(head, target.center_mm).head
        yield Case("folded, refined", finer, target, poses, coil, ())


def folded_delaunay() -> Iterator[Case]:
    whole, coil = ef.load_head("mni152"), ef.load_coil("magstim-70mm-figure8")

    def tag_at(places: np.ndarray) -> np.ndarray:
        tets, _ = locator_of(whole).find(places)
        return np.where(tets >= 0, whole.tissue[tets], 0)

    for seed, target in enumerate(motor(whole)):
        head = delaunay(random_points(target.center_mm, PART_MM, 2.4, seed), tag_at)
        yield Case("folded, Delaunay", head, target, placed(whole, target, coil), coil, (14.0, 12.0))


def rows(found: dict[tuple[str, str], list[tuple[float, float, float]]]) -> list[str]:
    """The table: how often the truth lies within twice the estimate, and the estimate within a factor of the truth."""
    lines = []
    for (group, kind), triples in found.items():
        value, off, estimate = np.abs(np.array(triples)).T
        floor = NONE * value
        within = off <= 2 * np.maximum(estimate, floor)
        high, low = np.maximum(estimate, floor), np.maximum(off, floor)
        factor = np.maximum(high / low, low / high) <= 3
        shares = f"{100 * within.mean():.0f} | {100 * factor.mean():.0f}"
        lines.append(f"| {group} | {kind} | {len(value)} | {100 * np.median(off / value):.2f} | {shares} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["sphere", "delaunay", "foreign", "folded"])
    parser.add_argument("--out", type=Path, help="keep all values: (heads, measure, value, error, estimate), .json")
    options = parser.parse_args()
    sources = {
        "sphere": [spheres()],
        "delaunay": [delaunay_spheres(), folded_delaunay()],
        "foreign": [foreign()],
        "folded": [folded()],
    }
    found = defaultdict(list)
    everything = []
    for case in (case for name in options.only for source in sources[name] for case in source):
        try:
            for name, *triple in compare(case):
                kind = next((kind for kind, names in KINDS.items() if name in names), None)
                everything.append((case.group, name, *map(float, triple)))
                if kind:
                    found[case.group, kind].append(tuple(triple))
        except EfieldError as error:
            print(f"{case.group}: {error}")
    if options.out:
        options.out.write_text(json.dumps(everything))
    columns = ("heads", "measures", "values", "median error %", "within twice the estimate %", "factor below 3 %")
    print("\n".join([f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *rows(found)]))


if __name__ == "__main__":
    main()
