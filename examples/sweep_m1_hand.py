"""
Where and at which angle is the field in the hand area strongest?
=================================================================

Three adjoint solves turn every further placement of a coil into a sum over its wires. The best placement is then
solved in full, as a check.
"""

# %%
# Positions around the point over the target, and all angles; a figure-8 turned by half a circle has the same |E|.
import efield as ef

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
m1 = ef.m1_hand(head, side="left")
grid = ef.PlacementGrid(radius_mm=20, spacing_mm=5, angles_deg=range(0, 180, 10), pattern="hex")
print(f"{grid.count} placements")

# %%
# ``mean_vector`` is the length of the mean of E in the target.
sim = ef.Simulator(head)
table = ef.sweep(ef.reciprocal(sim, m1, axes=True), coil, grid, target=m1, didt=1e6)
size = table["mean_vector"]
best = table.isel(placement=int(size.values.argmax()))
print(
    f"best: {float(best.u_mm):.1f} mm medial, {float(best.v_mm):.1f} mm anterior of the point over the target, "
    f"{float(best.angle_deg):g} deg: {float(best.mean_vector):.3f} V/m per A/us"
)

# %%
# Each position has the color of its best angle's field, and a line at that angle.
figure = ef.viz.sweep_map(table, measure="mean_vector")

# %%
# A full solve of the best placement gives the same number.
field = sim.solve(coil, ef.Pose(best.matrix.values), didt=1e6)
off = abs(field.summary(m1)["mean_vector"] / float(best.mean_vector) - 1)
print(f"a full solve of the best placement differs by {off:.1e}")
assert off < 1e-4
