"""How sure are we of the field at the target?

    python examples/how_sure.py [HEAD] [TECHNIQUE: cap, navigated or robot]

Solves one placement at a dozen conductivities and at a dozen displaced placements, and prints what each cause adds.
"""

import sys

import efield as ef


def main(head_name: str = "mni152", technique: str = "navigated") -> None:
    head = ef.load_head(head_name)
    coil = ef.load_coil("magstim-70mm-figure8")
    target = "m1-hand-left"
    pose = ef.place_coil(head, target, angle_deg=45, coil=coil)
    sure = ef.uncertainty(ef.Simulator(head), coil, pose, target, placement=technique, placements=12)
    print(sure)
    for cause, share in sure.causes("mean_magnitude").items():
        print(f"{cause}: {100 * share:.0f} % of the variance of mean |E|")
    for tissue, share in sure.sobol["mean_magnitude"].items():
        print(f"{tissue}: {100 * share.total:.0f} % of what the conductivities do")


if __name__ == "__main__":
    main(*sys.argv[1:])
