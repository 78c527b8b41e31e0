"""
What did a session do, and which place answered?
================================================

A coil was moved around the hand area by hand, and a muscle's responses were recorded beside the poses. The field of
every pulse says how hard the target was reached, and which place's field goes with the responses.
"""

# %%
# A session to look at. The muscle belongs to one place: it answers along a sigmoid of the field there, and noisily. The
# field is taken from an adjoint solve, another way than the one that is to find the place again.
import numpy as np

import efield as ef

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
hand = ef.m1_hand(head)
sim = ef.Simulator(head)
rng = np.random.default_rng(5)


def wandering(count: int) -> list[ef.Pose]:
    """Poses within 20 mm of the one over the hand, at any angle."""
    found = []
    for angle in rng.uniform(0.0, 360.0, count):
        pose = ef.place_coil(head, hand, angle, 8.0, coil=coil)
        found.append(pose.moved((*rng.uniform(-20.0, 20.0, 2), 0.0)))
    return found


muscle = ef.Target.sphere(center_mm=hand.center_mm, radius_mm=8.0)
poses = wandering(100)
size = ef.reciprocal(sim, muscle, axes=True).magnitude(coil, poses, didt=60e6)
threshold, slope = np.quantile(size, 0.6), 8.0 / np.ptp(size)
answers = 1500.0 / (1.0 + np.exp(slope * (threshold - size))) * rng.lognormal(0.0, 0.2, len(size))
known = {"time_s": 4.0 * np.arange(100), "didt": np.full(100, 60e6), "mep_uv": answers}
ef.PoseTable(poses, columns=known).write("session.json")

# %%
# What was done: a table of all pulses, with drift from the first, and maps over the gray matter. The drives are those
# that were recorded. Few of the pulses are solved; the others are sums of them, to a stated error.
done = ef.pulses(sim, coil, "session.json", hand, allow_collision=True)
print(done)
print(done.to_dataframe()[["time_s", "mep_uv", "mean_magnitude", "off_mm", "off_deg"]].describe().round(1))
print(f"{done.table.attrs['solves']} solves, error {done.table.attrs['largest_error']:.1e}")

# %%
# Drift and field over the session, and the responses over the field at the place that explains them best.
figure = ef.viz.recording_figure(done)

# %%
# It is the place that answered.
place = done.localization.sigmoid.place_mm
off = np.linalg.norm(place - muscle.center_mm)
print(f"found {off:.1f} mm from the middle of what answered, R2 {done.localization.sigmoid.largest:.2f}")
assert off < 10.0
