"""A recorded stimulation, replayed against the live server: how fast it answers, and the field at the target.

    python examples/follow_a_recording.py [HEAD] [RECORDING] [PICTURE.png]

Builds a small basis, starts the server in this process, sends it the poses of the recording (any file of poses; a
wandering hand if none is given) and draws what came back: latency, and mean |E| in the hand area.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import efield as ef
from efield.nav.alerts import Alert
from efield.nav.engine import LiveEngine
from efield.nav.serve import Session, serve

#: A patch of scalp so small that a few dozen solves are enough.
PATCH = {"radius_mm": 8.0, "tilt_deg": 5.0, "distance_mm": (3.0, 6.0), "region_radius_mm": 20.0, "tol": 0.01}


def wandering_hand(plan: ef.Pose, count: int = 200) -> ef.PoseTable:
    """A hand that shakes by a millimeter and drifts off by five and by ten degrees: 20 poses a second."""
    rng, found = np.random.default_rng(1), []
    for part in np.linspace(0.0, 1.0, count):
        turn = np.radians(10 * part + rng.normal(0, 0.5))
        c, s = np.cos(turn), np.sin(turn)
        matrix = plan.moved((5 * part + rng.normal(0, 0.3), rng.normal(0, 0.3), 0.0)).matrix.copy()
        matrix[:3, :3] = plan.rotation @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        found.append(ef.Pose(matrix))
    return ef.PoseTable(found, columns={"time_s": np.arange(count) / 20})


def main(head_name: str = "mni152", recording: str = "", picture: str = "live.png") -> None:
    head = ef.load_head(head_name)
    # Two loops for the small head; a real coil for a real one.
    loops = ef.Coil.from_dipoles([[-40, 0, -10], [40, 0, -10]], [[0, 0, 0.1], [0, 0, -0.1]])
    coil = loops if head_name == "sphere" else ef.load_coil("magstim-70mm-figure8")
    hand = ef.m1_hand(head)
    basis = ef.ReducedBasis.build(ef.Simulator(head), coil, hand, **PATCH, max_solves=96)
    plan = ef.place_coil(head, hand, 45.0, 4.5, coil=coil)

    answers, latency = [], {}

    def told(answer) -> None:
        answers.append(answer)
        latency[answer.id] = answer.age_ms

    alerts = tuple(map(Alert.parse, ("mean_magnitude<0.95*plan", "off_plan_mm>3")))
    engine = LiveEngine(basis, coil, hand, 80e6, plan=plan, alerts=alerts)
    with tempfile.TemporaryDirectory() as folder:
        poses = recording or str(Path(folder) / "hand.json")
        if not recording:
            wandering_hand(plan).write(poses)
        report = serve(engine, Session(follow=poses, speed=10.0), told=told)

    ok = [answer for answer in answers if answer.status == "ok"]
    late, slow = report["latency_ms"], report["engine_ms"]
    print(f"{report['received']} poses, {len(ok)} answered, {report['replaced']} overtaken by newer ones")
    print(
        f"latency: median {late['p50']:.1f} ms, 99 % {late['p99']:.1f} ms; of the engine {slow['p50']:.1f} and "
        f"{slow['p99']:.1f} ms"
    )
    print(
        f"off plan: {sum(bool(answer.alerts) for answer in ok)} poses, by up to "
        f"{max(answer.off_plan['off_plan_mm'] for answer in ok):.1f} mm"
    )
    figure, (above, below) = plt.subplots(2, 1, sharex=True, layout="constrained")
    number = [answer.pose.number for answer in ok]
    above.plot(number, [answer.measures["mean_magnitude"] for answer in ok], color="0.3")
    marked = [answer for answer in ok if answer.alerts]
    at = [answer.pose.number for answer in marked]
    above.plot(at, [answer.measures["mean_magnitude"] for answer in marked], ".", color="tab:red", label="off plan")
    above.set(ylabel="mean |E| at the hand (V/m)")
    above.legend()
    below.semilogy(
        number, [latency[answer.id] for answer in ok], ".", color="tab:blue", label="pose in to measures out"
    )
    below.semilogy(number, [answer.engine_ms for answer in ok], ".", color="0.6", label="the engine's own")
    below.legend()
    below.set(xlabel="pose", ylabel="ms")
    figure.savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
