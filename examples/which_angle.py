"""At which coil angle is the field along the preferred direction strongest in the hand area?

    python examples/which_angle.py [HEAD] [PICTURE.png]

Solves twelve angles in blocks and draws them as a polar plot.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

import efield as ef


def main(head_name: str = "mni152", picture: str = "which-angle.png") -> None:
    head = ef.load_head(head_name)
    coil = ef.load_coil("magstim-70mm-figure8")
    m1 = ef.m1_hand(head, side="left")
    angles = np.arange(0, 360, 30)
    poses = [ef.place_coil(head, over=m1, angle_deg=angle, coil=coil) for angle in angles]
    summaries = [field.summary(m1) for field in ef.Simulator(head).solve_many(coil, poses, didt=1e6)]
    along = np.array([summary["along"] for summary in summaries])
    magnitude = np.array([summary["mean_magnitude"] for summary in summaries])
    for angle, a, e in zip(angles, along, magnitude, strict=True):
        print(f"{angle:4d} deg  along preferred {a:+.3f} V/m  |E| {e:.3f} V/m")
    print(f"best angle: {angles[np.argmax(along)]} deg (0 = anterior, 90 = toward the midline)")

    figure = Figure(figsize=(5, 5.4), layout="constrained")
    axes = figure.add_subplot(projection="polar", theta_offset=np.pi / 2, theta_direction=-1)
    closed = np.radians(np.append(angles, 360))
    axes.plot(closed, np.append(magnitude, magnitude[0]), label="mean |E|")
    axes.plot(closed, np.maximum(np.append(along, along[0]), 0), label="along the preferred direction")
    axes.set_title("E in the left hand area (V/m per A/us)\nagainst coil angle, 0 = anterior")
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
