"""Where an electrode is: of a head's own caps, of the 10-10 system measured on the scalp, or in a file."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.head.cap import FIDUCIAL_NAMES
from efield.head.landmarks import POSITIONS, checked_on_scalp, fiducials_in, find_electrode, ten_ten
from efield.head.mesh import HeadMesh
from efield.io.choice import split_choice
from efield.io.eeg_positions import CapFile

#: Files that offer a choice of positions, ``cap.csv:NAME``.
CAP_CHOICES: Final = (".csv",)


def electrode_place(head: HeadMesh, text: str) -> tuple[NDArray[np.float64], str]:
    """(3,) the place of an electrode in mm, and where it comes from.

    Parameters
    ----------
    head : HeadMesh
    text : str
        A name, looked for in the head's own caps and then in the 10-10 system; or ``cap.csv:NAME``, a position in a
        file (mm, in the coordinates of this head). A 10-10 name that the file lacks is measured on the scalp from the
        file's fiducials.

    Raises
    ------
    InputError
        If there is no such electrode, it is more than 15 mm from the scalp, or the file cannot be read.
    """
    given = electrode_in_file(text)
    if given is None:
        return find_electrode(head, text)
    cap, name = given
    if name in cap.positions:
        return checked_on_scalp(head, f"{name} of {cap.origin}", cap.positions[name]), cap.origin
    return ten_ten(head, fiducials_in(cap))[name], f"10-10 arcs measured from the fiducials of {cap.origin}"


def electrode_in_file(text: str) -> tuple[CapFile, str] | None:
    """The cap and the name in it for ``cap.csv:NAME``; None for anything else.

    A 10-10 name that the cap lacks is measured from its fiducials, if it has all four.
    """
    file, name = split_choice(text, CAP_CHOICES)
    if name is None:
        return None
    cap = CapFile(Path(file))
    measured = POSITIONS if all(fiducial in cap.positions for fiducial in FIDUCIAL_NAMES) else ()
    names = {known.lower(): known for known in (*measured, *cap.positions)}
    return cap, names.get(name.lower()) or checks.choice(f"electrode of {file}", name, names.values())
