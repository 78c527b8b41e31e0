"""
How fast does the field follow a moving coil?
=============================================

The live server is started in this process and sent the poses of a shaking, drifting hand, twenty a second, ten times as
fast as they were recorded. What comes back is the field at the target, and whether the coil is still on plan.
"""

# %%
# A small basis: a patch of scalp so small that a few dozen solves are enough.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import efield as ef
from efield.nav.alerts import Alert
from efield.nav.engine import LiveEngine
from efield.nav.serve import Session, serve

PATCH = {"radius_mm": 8.0, "tilt_deg": 5.0, "distance_mm": (3.0, 6.0), "region_radius_mm": 20.0, "tol": 0.01}

head = ef.load_head("mni152")
coil = ef.load_coil("magstim-70mm-figure8")
hand = ef.m1_hand(head)
basis = ef.ReducedBasis.build(ef.Simulator(head), coil, hand, **PATCH, max_solves=96)
plan = ef.place_coil(head, hand, 45.0, 4.5, coil=coil)


# %%
# A recording, which may be any file of poses of a navigator.
def wandering_hand(plan: ef.Pose, count: int = 200) -> ef.PoseTable:
    """A hand that shakes by a millimeter and drifts off by five and by ten degrees: twenty poses a second."""
    rng, found = np.random.default_rng(1), []
    for part in np.linspace(0.0, 1.0, count):
        turn = np.radians(10 * part + rng.normal(0, 0.5))
        c, s = np.cos(turn), np.sin(turn)
        matrix = plan.moved((5 * part + rng.normal(0, 0.3), rng.normal(0, 0.3), 0.0)).matrix.copy()
        matrix[:3, :3] = plan.rotation @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        found.append(ef.Pose(matrix))
    return ef.PoseTable(found, columns={"time_s": np.arange(count) / 20})


# %%
# The server answers each pose, or, when it is behind, the newest.
answers, latency = [], {}


def told(answer) -> None:
    answers.append(answer)
    latency[answer.id] = answer.age_ms


alerts = tuple(map(Alert.parse, ("mean_magnitude<0.95*plan", "off_plan_mm>3")))
engine = LiveEngine(basis, coil, hand, 80e6, plan=plan, alerts=alerts)
with tempfile.TemporaryDirectory() as folder:
    recording = str(Path(folder) / "hand.json")
    wandering_hand(plan).write(recording)
    report = serve(engine, Session(follow=recording, speed=10.0), told=told)

ok = [answer for answer in answers if answer.status == "ok"]
late, slow = report["latency_ms"], report["engine_ms"]
print(f"{report['received']} poses, {len(ok)} answered, {report['replaced']} overtaken by newer ones")
print(f"latency: median {late['p50']:.1f} ms, 99 % {late['p99']:.1f} ms")
print(f"of the engine alone: median {slow['p50']:.1f} ms, 99 % {slow['p99']:.1f} ms")

# %%
# Red: off plan. Below, from a pose's arrival to its measures' departure.
figure, (above, below) = plt.subplots(2, 1, sharex=True, layout="constrained")
number = [answer.pose.number for answer in ok]
above.plot(number, [answer.measures["mean_magnitude"] for answer in ok], color="0.3")
marked = [answer for answer in ok if answer.alerts]
strays = [answer.measures["mean_magnitude"] for answer in marked]
above.plot([answer.pose.number for answer in marked], strays, ".", color="tab:red", label="off plan")
above.set(ylabel="mean |E| at the hand (V/m)")
above.legend()
below.semilogy(number, [latency[answer.id] for answer in ok], ".", color="tab:blue", label="pose in to measures out")
below.semilogy(number, [answer.engine_ms for answer in ok], ".", color="0.6", label="the engine's own")
below.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
below.set(xlabel="pose", ylabel="ms")
below.yaxis.set_major_formatter("{x:g}")
below.yaxis.set_minor_formatter("{x:g}")

# %%
# The hand drifts off by five millimeters in all, and the server says so.
farthest = max(answer.off_plan["off_plan_mm"] for answer in ok)
print(f"off plan: {len(marked)} poses, by up to {farthest:.1f} mm")
assert 3.0 < farthest < 8.0
assert marked
