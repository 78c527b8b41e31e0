"""Which coil reaches deep, which stays focal, and what does each ask of its stimulator?

    python examples/compare_coils.py [PICTURE.png]

Holds every coil of the catalog over a spherical head (85 mm, cortex 15 mm below the scalp), computes half-value depth
and spread, and draws one against the other.
"""

import sys

from matplotlib.figure import Figure

from efield.coils import catalog
from efield.targeting.depth_spread import depth_spread

#: |E| in V/m that a motor threshold takes, for the last column.
THRESHOLD_V_PER_M = 60.0


def main(picture: str = "compare-coils.png") -> None:
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="half-value depth (mm)", ylabel="spread (cm2)", yscale="log")
    print(f"{'coil':22} {'depth mm':>8} {'spread cm2':>10} {'V/m per A/us':>12} {'% MSO for 60 V/m':>17}")
    for name in catalog.names():
        coil = catalog.load_named(name)
        result = depth_spread(coil, distance_mm=4.0)
        needed = THRESHOLD_V_PER_M / result.peak_v_per_m * 1e6
        percent = "unknown" if coil.max_didt is None else f"{100 * needed / coil.max_didt:.0f}"
        spread_cm2 = result.spread_mm2 / 100
        print(f"{name:22} {result.depth_mm:8.1f} {spread_cm2:10.1f} {result.peak_v_per_m:12.3f} {percent:>17}")
        axes.plot(result.depth_mm, spread_cm2, "o", label=name)
    axes.legend(fontsize="small")
    axes.set_title("Every coil pays for depth with spread")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
