"""The heads that come with the package."""

from pathlib import Path
from typing import Final

from efield.ground import checks
from efield.ground.errors import FileFormatError
from efield.head.mesh import HeadMesh
from efield.head.packed import read_packed

#: Names of the shipped heads.
TEMPLATES: Final = ("mni152",)

_PACKAGE = Path(__file__).resolve().parents[1]


def load_template(name: str = "mni152") -> HeadMesh:
    """A head that comes with the package, in MNI152 millimeters.

    Parameters
    ----------
    name : str
        "mni152": five tissues (1 white matter, 2 gray matter, 3 CSF, 4 bone, 5 scalp), finer along both motor
        strips.

    Returns
    -------
    HeadMesh

    Raises
    ------
    InputError
        If no shipped head has this name.
    FileFormatError
        If its file is missing or damaged.

    References
    ----------
    Fonov et al. 2011, NeuroImage 54:313 (the ICBM152 atlas). How the file is made: `meshes/` of the source tree.
    """
    return read_packed(template_path(checks.choice("template", name, TEMPLATES)))


def template_path(name: str) -> Path:
    """Where the file of a shipped head is: in the installed package, or in `meshes/` of a source checkout."""
    candidates = [_PACKAGE / "meshes" / f"{name}.npz", _PACKAGE.parent / "meshes" / f"{name}.npz"]
    for path in candidates:
        if path.is_file():
            return path
    raise FileFormatError(
        f"the head {name!r} must come with the package; instead {candidates[0]} is missing: install efield again, "
        "or in a source checkout run the recipe in meshes/"
    )
