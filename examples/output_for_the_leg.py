"""What output for the leg, given the hand's motor threshold?

    python examples/output_for_the_leg.py [HEAD] [RMT in % of the maximum output]

Solves the coil over the hand and over the leg and asks which output gives the leg the field that the hand had at
threshold; beside it, what rules without a field say. Research software: a dose for a person needs a clinician.
"""

import sys

import efield as ef


def main(head_name: str = "mni152", rmt: str = "54") -> None:
    head = ef.load_head(head_name)
    coil = ef.load_coil("magstim-70mm-figure8")
    # A head without a map from MNI coordinates, such as the sphere, has electrodes only.
    hand, leg = ("m1-hand-left", "m1-leg-left") if head.mni is not None else ("C3", "Cz")
    poses = [ef.place_coil(head, hand, angle_deg=45, coil=coil), ef.place_coil(head, leg, angle_deg=-57, coil=coil)]
    fields = ef.Simulator(head).solve_many(coil, poses)
    machine = {"stimulator": "magstim-rapid2", "phase": "second", "error": 0.03}
    at_hand, at_leg = (
        ef.DoseSite.of(field, place, **machine) for field, place in zip(fields, (hand, leg), strict=True)
    )
    print(ef.dose(float(rmt), at_hand, at_leg, rmt_sd=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
