"""The reduced model in conductivity against full solves: at held-out points, and by quasi-Monte Carlo.

    python -m benchmarks conductivity_model [--edge-mm 9] [--held-out 30] [--n 32]

The head is a layered egg (a sphere's field does not hear of conductivity), five tissues vary over their published
ranges. Each full solve is a simulator of its own, made for its conductivities. The same design of quantiles is asked of
full solves and of the model, whose mean, SD and Sobol' shares are then set side by side; those of 10^5 samples of the
model stand beside them.
"""

import argparse

import numpy as np

import efield as ef
from benchmarks.planning import clocked
from efield.head.spheres import sphere_head
from efield.head.tissue import tissue_name
from efield.planning.conductivity_model import ConductivityModel
from efield.planning.sobol import Design, shares
from efield.targeting.measures import TargetMeasures

MEASURE = "mean_magnitude"


def egg(edge_mm: float) -> ef.HeadMesh:
    """Layers of the five tissues, longer than wide."""
    round_one = sphere_head((73.0, 77.0, 80.0, 87.0, 94.0), (1, 2, 3, 4, 5), edge_mm=edge_mm)
    return ef.HeadMesh(round_one.points * (1.12, 0.88, 1.0), round_one.tets, round_one.tissue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge-mm", type=float, default=9.0)
    parser.add_argument("--held-out", type=int, default=30)
    parser.add_argument("--n", type=int, default=32, help="of each of the design's parts, a power of two")
    options = parser.parse_args()
    head, coil = egg(options.edge_mm), ef.load_coil("magstim-70mm-figure8")
    target = ef.Target.sphere(center_mm=(-35, 10, 62), radius_mm=12, direction=(1, 1, 0), name="spot")
    pose = ef.place_coil(head, target, 45, coil=coil)
    print(f"{len(head.points):,} nodes, {len(head.tets):,} tetrahedra")
    with clocked("model"):
        model = ConductivityModel.build(ef.Simulator(head), coil, pose, target)
    measures = TargetMeasures.at(head, target)
    column = measures.names.index(MEASURE)
    print(f"  {model.solves} solves, {len(model.modes)} modes, stated error {model.error[MEASURE]:.1e} V/m")

    def solved(quantiles: np.ndarray) -> np.ndarray:
        """(s,) the measure, of full solves."""
        found = []
        for values in model.sampled(quantiles):
            table = ef.Conductivity().with_values(dict(zip(model.ranges, values.tolist(), strict=True)))
            found.append(measures.of_field(ef.Simulator(head, table).solve(coil, pose), target)[column])
        return np.array(found)

    def by_model(quantiles: np.ndarray) -> np.ndarray:
        return model.measured(model.sampled(quantiles))[:, column]

    held = np.random.default_rng(11).random((options.held_out, len(model.ranges)))
    with clocked(f"{options.held_out} held-out full solves"):
        full = solved(held)
    off = np.abs(by_model(held) / full - 1)
    print(f"  {MEASURE} {full.min():.4f} to {full.max():.4f} V/m; off by {np.median(off):.1e}, at most {off.max():.1e}")
    causes = [tissue_name(tag) for tag in model.ranges]
    design = Design.of(len(causes), options.n)
    rows = {}
    with clocked(f"quasi-Monte Carlo, {options.n * (2 + len(causes))} full solves"):
        rows["full solves"] = told(solved, design, causes)
    rows["model, same points"] = told(by_model, design, causes)
    with clocked("model, 2^14 in each part"):
        rows["model, many points"] = told(by_model, Design.of(len(causes), 1 << 14), causes)
    print(f"{'':<20} {'mean':>9} {'SD':>9}  first / total: " + ", ".join(causes))
    for name, (mean, sd, found) in rows.items():
        each = "  ".join(f"{one.first:.3f}/{one.total:.3f}" for one in found.values())
        print(f"{name:<20} {mean:9.5f} {sd:9.5f}  {each}")


def told(measure, design: Design, causes: list[str]):
    """Mean and SD of a measure over both parts of a design, and its shares."""
    first, second = measure(design.first), measure(design.second)
    mixed = np.array([measure(part) for part in design.mixed])
    both = np.concatenate([first, second])
    return both.mean(), both.std(), shares(first[:, None], second[:, None], mixed[..., None], causes)[0]


if __name__ == "__main__":
    main()
