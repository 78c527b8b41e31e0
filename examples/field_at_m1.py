"""What field does a 70 mm figure-8 over the left hand area induce there?

    python examples/field_at_m1.py [HEAD]

HEAD is mni152 (default), sphere, or a mesh file.
"""

import sys

import efield as ef


def main(head_name: str = "mni152") -> None:
    head = ef.load_head(head_name)
    coil = ef.load_coil("magstim-70mm-figure8")
    m1 = ef.m1_hand(head, side="left")
    pose = ef.place_coil(head, over=m1, angle_deg=45, distance_mm=4, coil=coil)
    field = ef.Simulator(head).solve(coil, pose, didt=1e6)
    print(m1.note)
    print(field.summary(m1))


if __name__ == "__main__":
    main(*sys.argv[1:])
