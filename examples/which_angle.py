"""
At which coil angle is the field in the hand area strongest?
============================================================

Twelve angles at one place, solved in blocks: how large the field is, and how much of it runs along the direction that
excites the hand area best.
"""

# %%
# 0 degrees: the handle points straight back; 90: the current runs toward the midline.
import matplotlib.pyplot as plt
import numpy as np

import efield as ef

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
m1 = ef.m1_hand(head, side="left")
angles = np.arange(0, 360, 30)
poses = [ef.place_coil(head, over=m1, angle_deg=angle, coil=coil) for angle in angles]

# %%
# ``solve_many`` yields one field after another; only what is asked of each is kept.
summaries = [field.summary(m1) for field in ef.Simulator(head).solve_many(coil, poses, didt=1e6)]
along = np.array([summary["along"] for summary in summaries])
magnitude = np.array([summary["mean_magnitude"] for summary in summaries])
print(f"strongest along the preferred direction: {angles[along.argmax()]} deg, {along.max():.2f} V/m per A/us")
print(f"mean |E| over all angles: {magnitude.min():.2f} to {magnitude.max():.2f} V/m per A/us")

# %%
# Against the angle, anterior up.
figure, axes = plt.subplots(figsize=(5, 5.5), subplot_kw={"projection": "polar"}, layout="constrained")
axes.set_theta_zero_location("N")
axes.set_theta_direction(-1)
closed = np.radians(np.append(angles, 360))
axes.plot(closed, np.append(magnitude, magnitude[0]), label="mean |E|")
axes.plot(closed, np.maximum(np.append(along, along[0]), 0), label="along the preferred direction")
axes.set_title("V/m per A/us against coil angle, 0 = anterior")
figure.legend(loc="outside lower center", ncols=2)

# %%
# Turned by half a circle the coil drives the same current the other way.
mismatch = float(np.abs(along[:6] + along[6:]).max() / along.max())
print(f"opposite angles cancel to {mismatch:.1e} of the largest")
assert mismatch < 0.02
