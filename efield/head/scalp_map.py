"""A map from MNI152 for a head of which only the scalp and four fiducials are known.

The 10-10 positions are measured on this scalp and on that of the shipped MNI152 head, and an affine is laid through the
pairs.
"""

import numpy as np

from efield.ground.errors import InputError
from efield.head.landmarks import ALIASES, POSITIONS, Fiducials, ten_ten
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap
from efield.head.template import load_template

#: Root mean square distance (mm) that may be left; adult heads differ by a few millimeters more than in size.
_LARGEST_RESIDUAL_MM = 10.0


def map_from_fiducials(head: HeadMesh, fiducials: Fiducials) -> AffineMap:
    """The affine from MNI152 that lays the template's 10-10 positions onto those of a head.

    Parameters
    ----------
    head : HeadMesh
        Its scalp counts only.
    fiducials : Fiducials
        In head coordinates.

    Returns
    -------
    AffineMap
        Its description states the distance that the positions keep.

    Raises
    ------
    InputError
        If a fiducial is more than 15 mm from the scalp, or the scalps cannot be laid onto each other.
    """
    names = [name for name in POSITIONS if name not in ALIASES]
    here, there = ten_ten(head, fiducials), ten_ten(load_template("mni152"))
    fixed, moving = (np.array([points[name] for name in names]) for points in (here, there))
    solution = np.linalg.lstsq(np.column_stack([moving, np.ones(len(names))]), fixed, rcond=None)[0]
    left = np.linalg.norm(moving @ solution[:3] + solution[3] - fixed, axis=1)
    residual = float(np.sqrt((left**2).mean()))
    if residual > _LARGEST_RESIDUAL_MM:
        raise InputError(
            f"the scalp must have the shape of a head; instead its 10-10 positions stay {residual:.0f} mm from those "
            "of MNI152: check the fiducials, or give targets as points"
        )
    return AffineMap(
        np.vstack([solution.T, (0.0, 0.0, 0.0, 1.0)]),
        f"affine of the scalp's 10-10 positions, measured from four fiducials, to those of MNI152 (distance left: root "
        f"mean square {residual:.1f} mm, largest {left.max():.1f} mm; a brain differs from its scalp by more)",
    )
