"""
Which coil reaches deep, which stays focal?
===========================================

Every coil of the catalog is held over a spherical head (85 mm, cortex 15 mm below the scalp). Half-value depth is how
far below the cortex E falls to half of its largest size there; spread is the volume that has at least half, divided by
that depth.
"""

# %%
# One line for each coil, with the share of its stimulator's output that gives 60 V/m.
import matplotlib.pyplot as plt
from scipy.stats import spearmanr

import efield as ef
from efield.targeting.depth_spread import depth_spread

THRESHOLD_V_PER_M = 60.0

found = {}
print(f"{'coil':22} {'depth mm':>8} {'spread cm2':>10} {'V/m per A/us':>12} {'% MSO for 60 V/m':>17}")
for name in ef.list_coils():
    coil = ef.load_coil(name)
    figures = depth_spread(coil, distance_mm=4.0)
    depth, spread = found[name] = (figures.depth_mm, figures.spread_mm2 / 100)
    didt = THRESHOLD_V_PER_M / figures.peak_v_per_m * 1e6
    percent = "unknown" if coil.max_didt is None else f"{100 * didt / coil.max_didt:.0f}"
    print(f"{name:22} {depth:8.1f} {spread:10.1f} {figures.peak_v_per_m:12.3f} {percent:>17}")

# %%
# Depth is paid for with spread, whatever the winding.
figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
axes.plot(*zip(*found.values(), strict=True), "o")
for name, (depth, spread) in found.items():
    left = name in ("magventure-twin", "magventure-mc-b70")
    shift, side = ((-6, -3), "right") if left else ((6, -3), "left")
    axes.annotate(name, (depth, spread), shift, textcoords="offset points", ha=side, fontsize="small")
axes.set(xlabel="half-value depth (mm)", ylabel="spread (cm²)", yscale="log")
axes.yaxis.set_major_formatter("{x:g}")

# %%
# The order of the coils by depth and by spread is nearly the same.
agreement = float(spearmanr(*zip(*found.values(), strict=True)).statistic)
print(f"rank correlation of depth and spread: {agreement:.2f}")
assert agreement > 0.7
