"""Seconds of another GPU package on the same head, where it is installed: `python -m benchmarks gpu_rival`.

It is cuNIBS (https://pypi.org/project/cunibs), installed by hand beside efield; nothing of efield imports it. Its own
placements and its own figure-8 are used, so that times are compared, not fields. Times are the middle of all placements
after three that are not counted.
"""

import argparse
import json
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

import efield as ef


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--placements", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("gpu_rival.json"))
    options = parser.parse_args()
    if find_spec("cunibs") is None:
        raise SystemExit("this measures cunibs, which is not installed: pip install cunibs")
    from cunibs import Placement, Subject
    from cunibs.coil import MAGSTIM_D70, Coil

    head = ef.load_head(options.head)
    mesh = options.out.with_suffix(".msh")
    ours, target = ef.load_coil("magstim-70mm-figure8"), ef.m1_hand(head)
    ef.Simulator(head).solve(ours, ef.place_coil(head, target, coil=ours)).save(mesh)  # with the scalp's triangles
    document = {"cunibs": version("cunibs"), "nodes": len(head.points), "tets": len(head.tets)}
    for name in ("set-up, s", "set-up again, s"):
        start = time.perf_counter()
        subject = Subject.from_mesh(str(mesh))
        document[name] = time.perf_counter() - start
    coil, center = Coil.load(MAGSTIM_D70), np.asarray(target.center_mm)
    spent = []
    for angle in np.linspace(0, 2 * np.pi, options.placements + 3, endpoint=False):
        handle = center + 50.0 * np.array([np.cos(angle), np.sin(angle), 0.0])
        placement = Placement(center_mm=center.tolist(), handle_mm=handle.tolist(), distance_mm=4.0)
        start = time.perf_counter()
        subject.simulate(coil, placement, didt=1e6).peak_magnE()
        spent.append(time.perf_counter() - start)
    document["placement, ms"] = 1e3 * median(spent[3:])
    print(json.dumps(document, indent=1))
    options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
