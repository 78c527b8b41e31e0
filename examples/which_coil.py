"""
Which coil for this person?
===========================

Each coil is put where it does best in this person's head, and then asked for the output that the motor threshold's
field needs there. Research software: a dose for a person needs a clinician.
"""

# %%
# The threshold was found with the first coil, over the hand area, the current in its preferred direction.
import matplotlib.pyplot as plt

import efield as ef

RMT_PERCENT = 54.0
RADIUS_MM = 10.0
COILS = {
    "magstim-70mm-figure8": "magstim-rapid2",
    "magstim-double-cone": "magstim-rapid2",
    "magventure-c-b60": "magpro-x100",
}

head = ef.load_head("mni152")
sim = ef.Simulator(head)
hand = ef.m1_hand(head, side="left")


def site(coil, stimulator, pose):
    """Field and machine of a coil at a place."""
    return ef.DoseSite.of(sim.solve(coil, pose), hand, stimulator=stimulator)


first, machine = next(iter(COILS.items()))
coil = ef.load_coil(first)
threshold = site(coil, machine, ef.place_coil(head, hand, "best", coil=coil))

# %%
# The best placement of each; its tolerance says how exactly it must be held.
found = {}
print(f"{'coil':22} {'V/m per A/us':>12} {'gain %':>7} {'5 % lost at':>14} {'output %':>9}")
for name, machine in COILS.items():
    coil = ef.load_coil(name)
    best = ef.optimize(sim, coil, hand, "along", radius_mm=RADIUS_MM, tilt_deg=0)
    output = ef.dose(RMT_PERCENT, threshold, site(coil, machine, best.pose)).output_percent
    found[name] = best, output
    reach = f"{best.tolerance_mm:.1f}" if best.tolerance_mm < RADIUS_MM else f"> {RADIUS_MM:.0f}"
    lost = f"{reach} mm {best.tolerance_deg:.0f} deg"
    print(f"{name:22} {best.value:12.3f} {100 * best.gain:7.1f} {lost:>14} {output:9.1f}")

# %%
# Less output on the left, more room for error above: what is best depends on who holds it.
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, (best, output) in found.items():
    inside = best.tolerance_mm < RADIUS_MM
    axes.plot(output, best.tolerance_mm if inside else RADIUS_MM, "o" if inside else "^", label=name)
axes.axvline(RMT_PERCENT, color="k", linewidth=0.8, linestyle=":", label="the threshold")
axes.legend(fontsize="small", loc="center right")
words = f"5 % are lost at (mm; \N{BLACK UP-POINTING TRIANGLE} beyond {RADIUS_MM:.0f})"
axes.set(xlabel="output for the threshold's field (% of the maximum)", ylabel=words, ylim=(0, 1.15 * RADIUS_MM))
axes.margins(x=0.25)

# %%
# At its best placement the threshold's own coil needs no more than the threshold, within 1 %: what is made large is the
# component along the preferred direction, and the dose is by mean size of E on the middle of the cortex.
share = found[first][1] / RMT_PERCENT
print(f"output at the best place over the threshold: {share:.3f}")
assert 0.7 < share <= 1.01
