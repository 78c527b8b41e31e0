"""A reduced basis in a folder: `.npy` arrays that are memory-mapped, and a `basis.json` that says what they are.

The note is sealed, and each array with the note as its context: no array of another basis passes for one of this.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from efield.basis.build import AnyCoil
from efield.basis.certificate import Certificate
from efield.basis.modes import LinearModel
from efield.basis.outputs import Outputs
from efield.basis.scalp_patch import ScalpPatch
from efield.ground.errors import InputError
from efield.io import sealed
from efield.io.atomic import new_folder
from efield.targeting.fingerprint import check_same
from efield.targeting.regions import Places
from efield.targeting.targets import Target

if TYPE_CHECKING:
    from efield.basis.reduced_basis import ReducedBasis

_FORMAT: Final = 7
_NOTE: Final = "basis.json"
_OUTPUTS: Final = ("numbers", "places_mm", "weights", "gray", "normals", "nodes", "tags", "corners")
_MAPPED: Final = "modes"
_REMEDY: Final = "build the basis again with this version"


def save(basis: "ReducedBasis", path: str | PathLike[str]) -> None:
    """Write a basis to a folder that does not exist yet; the folder appears only when it is complete.

    Parameters
    ----------
    basis : ReducedBasis
        Its target as `Target.kept` makes it.
    path : path_like

    Raises
    ------
    InputError
        If `path` exists, or its parent cannot be written.
    """
    note = _note_of(basis)
    try:
        with new_folder(path) as folder:
            for name, array in _arrays_of(basis).items():
                sealed.write_array(folder / f"{name}.npy", array, context=_context(note))
            sealed.write_note(folder / _NOTE, note, version=_FORMAT)
    except OSError as error:
        raise InputError(f"{path} must be a folder that can be written; instead: {error.strerror}") from error


def load(path: str | PathLike[str], made_with: Mapping[str, str]) -> dict[str, Any]:
    """What a `ReducedBasis` has besides simulator and coil, by name; the modes stay on disk until they are used.

    Parameters
    ----------
    path : path_like
    made_with : mapping of str to str
        Hashes of the head, the conductivities and the coil it is for; see `efield.targeting.fingerprint.made_with`.

    Raises
    ------
    InputError
        If the folder is not a basis or is damaged, or the basis belongs to another head, conductivity or coil.
    """
    folder = Path(path)
    note = describe(folder)
    maker = "any coil" if note["coil"] == "any" else f"the coil {note['coil']!r}"
    check_same(note["settings"], made_with, f"the basis in {folder}, which is for {maker},")
    array = _Arrays(folder, _context(note))
    patch = ScalpPatch(array["frame"], array["shape"], note["radius_mm"], note["tilt_deg"], tuple(note["distance_mm"]))
    told = note["target"]
    region = None if told["region"] is None else Places(array["region"], told["region"])
    target = Target(**told | {"tags": tuple(told["tags"]), "region": region})
    outputs = Outputs(note["at"], *(array[name] for name in _OUTPUTS))
    serves = None
    if note["coil"] == "any":
        serves = AnyCoil(note["clearance_mm"], array["left_over"], array["emphasis"], note["limit"])
    return {
        "target": target,
        "patch": patch,
        "outputs": outputs,
        "points_mm": array["points_mm"],
        "model": LinearModel(array["modes"], array["scale"], array["to_modes"]),
        "certificate": Certificate.from_json(note["certificate"]),
        "settings": note["settings"],
        "any_coil": serves,
    }


def describe(path: str | PathLike[str]) -> dict[str, Any]:
    """What a stored basis says of itself, without its head and coil.

    Parameters
    ----------
    path : path_like
        Folder that `save` wrote.

    Returns
    -------
    dict
        The coil's name, the target, the ranges of placements, the settings with their hashes, and under
        ``"certificate"`` what `Certificate.from_json` reads.

    Raises
    ------
    InputError
        If the folder is not a basis, or its note is damaged.
    """
    note = Path(path) / _NOTE
    if not note.is_file():
        raise InputError(f"{path} must be a folder that ReducedBasis.save wrote; instead it has no {_NOTE}")
    return sealed.read_note(note, version=_FORMAT, remedy=_REMEDY)


def _arrays_of(basis: "ReducedBasis") -> dict[str, Any]:
    given = basis.outputs
    values = (
        *(given.numbers, given.points_mm, given.weights, given.gray, given.normals),
        *(given.nodes, given.tags, given.corners),
    )
    arrays = {
        "modes": basis.model.modes,
        "scale": basis.model.scale,
        "to_modes": basis.model.to_modes,
        "points_mm": basis.points_mm,
        "frame": basis.patch.frame,
        "shape": basis.patch.shape,
    } | dict(zip(_OUTPUTS, values, strict=True))
    if isinstance(basis.target.region, Places):
        arrays["region"] = basis.target.region.points_mm
    if basis.any_coil is not None:
        arrays |= {"left_over": basis.any_coil.left_over, "emphasis": basis.any_coil.emphasis}
    return arrays


def _note_of(basis: "ReducedBasis") -> dict[str, Any]:
    return {
        "coil": "any" if basis.coil is None else basis.coil.name,
        "settings": basis.settings,
        "at": basis.outputs.at,
        "places": len(basis.outputs.numbers),
        "modes": basis.model.modes.shape[1],
        "radius_mm": basis.patch.radius_mm,
        "tilt_deg": basis.patch.tilt_deg,
        "distance_mm": list(basis.patch.distance_mm),
        "target": basis.target.to_json(),
        "certificate": basis.certificate.to_json(),
    } | ({} if basis.any_coil is None else {"clearance_mm": basis.any_coil.clearance_mm, "limit": basis.any_coil.limit})


def _context(note: Mapping[str, Any]) -> str:
    return json.dumps(note)


@dataclass(frozen=True)
class _Arrays:
    """The arrays in a folder, by name."""

    folder: Path
    context: str

    def __getitem__(self, name: str) -> Any:
        path = self.folder / f"{name}.npy"
        return sealed.read_array(path, context=self.context, remedy=_REMEDY, mapped=name == _MAPPED)
