"""
What output for the leg, given the hand's motor threshold?
==========================================================

By equal field: the leg is to have the field that the hand had at its threshold. Research software: a dose for a person
needs a clinician.
"""

# %%
# The coil over both places, at the same dI/dt; at the leg the current runs into the medial wall.
import matplotlib.pyplot as plt

import efield as ef

RMT_PERCENT = 54.0

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
places = {"m1-hand-left": 45, "m1-leg-left": -57}
poses = [ef.place_coil(head, place, angle_deg=angle, coil=coil) for place, angle in places.items()]
fields = ef.Simulator(head).solve_many(coil, poses)

# %%
# What the dose rests on is said with it, and nothing is cut to what the stimulator can do.
machine = {"stimulator": "magstim-rapid2", "phase": "second", "error": 0.03}
hand, leg = (ef.DoseSite.of(field, place, **machine) for field, place in zip(fields, places, strict=True))
found = ef.dose(RMT_PERCENT, hand, leg, rmt_sd=2)
print(found)

# %%
# Beside it: the threshold as it is, and the slope by depth that was measured elsewhere.
low, high = found.interval
rules = {"equal field": found.output_percent, "threshold": RMT_PERCENT, "slope by depth": found.by_distance.percent}
figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
known = {name: value for name, value in rules.items() if value is not None}
axes.barh(list(known), list(known.values()), color=["C0", "0.7", "0.7"][: len(known)])
axes.errorbar(
    found.output_percent, 0, xerr=[[found.output_percent - low], [high - found.output_percent]], color="k", capsize=3
)
axes.axvline(100, color="k", linewidth=0.8, linestyle=":")
axes.set_xlabel("% of the maximum output; the bar is 5 to 95 %")
axes.invert_yaxis()

# %%
# Both places have the same field, each at its output.
ratio = found.output_percent * leg.field / (RMT_PERCENT * hand.field)
print(f"field at the leg over field at the hand: {ratio:.6f}")
assert abs(ratio - 1) < 1e-9
