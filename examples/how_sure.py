"""
How sure are we of the field at the target?
===========================================

One placement is solved at a dozen conductivities and at a dozen displaced placements: what does each cause add?
"""

# %%
# Conductivities within what is published for each tissue; the coil displaced as with a navigator.
import matplotlib.pyplot as plt

import efield as ef

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
pose = ef.place_coil(head, "m1-hand-left", angle_deg=45, coil=coil)
sure = ef.uncertainty(ef.Simulator(head), coil, pose, "m1-hand-left", placement="navigated", placements=12)
print(sure)

# %%
# What the variance of mean E comes from, and which tissue matters.
causes = sure.causes("mean_magnitude")
tissues = {name: share.total for name, share in sure.sobol["mean_magnitude"].items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for axes, shares, title in ((left, causes, "of the variance"), (right, tissues, "of what conductivities do")):
    axes.barh(list(shares), [100 * share for share in shares.values()])
    axes.set(xlabel=f"% {title}", xlim=(0, 100))

# %%
# Nine times out of ten the mean lies between these.
low, high = (sure.percentile(q)["mean_magnitude"] for q in (5, 95))
print(f"mean |E| {sure.mean['mean_magnitude']:.2f} V/m per A/us, 5 to 95 %: {low:.2f} to {high:.2f}")
assert low < sure.mean["mean_magnitude"] < high
