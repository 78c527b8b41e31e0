"""
What field does a figure-8 over the hand area induce there?
===========================================================

A 70 mm figure-8 is held over the left hand area at 45 degrees and driven at 1 A/us. Replace the head by a mesh file or
a folder ``m2m_<id>``, and the target by any place.
"""

# %%
# A head, a coil, a target, and where the coil is held.
import efield as ef

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
m1 = ef.m1_hand(head, side="left")
pose = ef.place_coil(head, over=m1, angle_deg=45, distance_mm=4, coil=coil)

# %%
# The solver is prepared once for a head, here with a mesh that is finer around the target.
sim = ef.Simulator(head, refine=m1)
field = sim.solve(coil, pose, didt=1e6)
summary = field.summary(m1)
print(m1.note)
print(summary)

# %%
# Where it is (slices, where nothing can be rendered). ``field.plot(target=m1, coil=coil).show()`` turns it in space.
figure = ef.viz.field_figure(field, m1, coil, pose)

# %%
# The mean in the target, with its numerical error: on a finer mesh it would move by about that much.
mean = summary.measures["mean_magnitude"]
print(summary.text("mean_magnitude"))
assert 0.5 < mean.value < 2.0
assert mean.error < 0.1 * mean.value
