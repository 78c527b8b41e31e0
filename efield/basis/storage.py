"""A reduced basis in a folder: `.npy` arrays that are memory-mapped, and a `basis.json` that says what they are.

The note holds the hash of each array's file, and its own: a file is looked into only if its bytes are those written.
"""

import hashlib
import json
from os import PathLike
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.basis.build import AnyCoil
from efield.basis.certificate import Certificate
from efield.basis.modes import LinearModel
from efield.basis.outputs import Places
from efield.basis.scalp_patch import ScalpRegion
from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.targeting.fingerprint import check_same, made_with
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

if TYPE_CHECKING:
    from efield.basis.reduced_basis import ReducedBasis

_FORMAT: Final = 3
_NOTE: Final = "basis.json"
_PLACES: Final = ("numbers", "places_mm", "weights", "gray", "normals")
_MAPPED: Final = "modes"


def save(basis: "ReducedBasis", path: str | PathLike[str]) -> None:
    """Write a basis to a folder that does not exist yet; the folder appears only when it is complete.

    Raises
    ------
    InputError
        If `path` exists, or its parent cannot be written.
    """
    folder = Path(path)
    if folder.exists():
        raise InputError(f"the folder of a basis must not exist yet; instead {folder} does: delete it or rename")
    try:
        temporary = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder.parent} must be a folder that can be written: {error.strerror}") from error
    try:
        digests = {}
        for name, array in _arrays_of(basis).items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
            digests[name] = _digest_of(temporary / f"{name}.npy")
        note = _note_of(basis) | {"digests": digests}
        text = json.dumps(note | {"digest": _digest_of_note(note)}, indent=1)
        (temporary / _NOTE).write_text(text, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError as error:
        raise InputError(f"{folder} must be a folder that can be written; instead: {error.strerror}") from error
    finally:
        rmtree(temporary, ignore_errors=True)


def load(path: str | PathLike[str], sim: Simulator, coil: Coil | None) -> "ReducedBasis":
    """Read a basis; the modes stay on disk until they are used.

    Raises
    ------
    InputError
        If the folder is not a basis or is damaged, or the basis belongs to another head, conductivity or coil.
    """
    from efield.basis.reduced_basis import ReducedBasis

    folder = Path(path)
    note = _read_note(folder)
    maker = "any coil" if note["coil"] == "any" else f"the coil {note['coil']!r}"
    check_same(note["settings"], made_with(sim, coil), f"the basis in {folder}, which is for {maker},")
    arrays = {name: _read_array(folder, name, note) for name in note["digests"]}
    region = ScalpRegion(
        arrays["frame"], arrays["shape"], note["radius_mm"], note["tilt_deg"], tuple(note["distance_mm"])
    )
    target = Target(**{**note["target"], "tags": tuple(note["target"]["tags"])})
    places = Places(note["at"], note["field"], *(arrays[name] for name in _PLACES))
    model = LinearModel(arrays["modes"], arrays["scale"], arrays["to_modes"])
    certificate = Certificate.from_json(note["certificate"])
    serves = None
    if coil is None:
        serves = AnyCoil(note["clearance_mm"], arrays["left_over"], arrays["emphasis"], note["limit"])
    points, settings = arrays["points_mm"], note["settings"]
    return ReducedBasis(sim, coil, target, region, places, points, model, certificate, settings, serves)


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
        If the folder is not a basis.
    """
    return _read_note(Path(path))


def _arrays_of(basis: "ReducedBasis") -> dict[str, Any]:
    places = basis.places
    values = (places.numbers, places.points_mm, places.weights, places.gray, places.normals)
    arrays = {
        "modes": basis.model.modes,
        "scale": basis.model.scale,
        "to_modes": basis.model.to_modes,
        "points_mm": basis.points_mm,
        "frame": basis.region.frame,
        "shape": basis.region.shape,
    } | dict(zip(_PLACES, values, strict=True))
    if basis.any_coil is not None:
        arrays |= {"left_over": basis.any_coil.left_over, "emphasis": basis.any_coil.emphasis}
    return arrays


def _note_of(basis: "ReducedBasis") -> dict[str, Any]:
    target = basis.target
    return {
        "format": _FORMAT,
        "coil": "any" if basis.coil is None else basis.coil.name,
        "settings": basis.settings,
        "at": basis.places.at,
        "field": basis.places.field,
        "places": len(basis.places.numbers),
        "modes": basis.model.modes.shape[1],
        "radius_mm": basis.region.radius_mm,
        "tilt_deg": basis.region.tilt_deg,
        "distance_mm": list(basis.region.distance_mm),
        "target": {
            "name": target.name,
            "center_mm": target.center_mm.tolist(),
            "radius_mm": target.radius_mm,
            "tags": list(target.tags),
            "direction": None if target.direction is None else target.direction.tolist(),
            "note": target.note,
        },
        "certificate": basis.certificate.to_json(),
    } | ({} if basis.any_coil is None else {"clearance_mm": basis.any_coil.clearance_mm, "limit": basis.any_coil.limit})


def _read_note(folder: Path) -> dict[str, Any]:
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} must be a folder that ReducedBasis.save wrote; {_NOTE} cannot be read") from error
    version = note.get("format") if isinstance(note, dict) else None
    if version != _FORMAT:
        newer = isinstance(version, int) and version > _FORMAT
        remedy = "use a newer version of efield, or " if newer else ""
        raise InputError(
            f"{folder / _NOTE} must have format {_FORMAT}; instead it has {version!r}: {remedy}build the basis again "
            "with this version"
        )
    if note.pop("digest", None) != _digest_of_note(note):
        raise InputError(f"{folder / _NOTE} must be as it was saved; instead it was changed: build the basis again")
    return dict(note)


def _digest_of_note(note: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()[:32]


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _read_array(folder: Path, name: str, note: dict[str, Any]) -> Any:
    path = folder / f"{name}.npy"
    try:
        # First: numpy's parser of headers has other errors, too, for damaged files.
        unchanged = _digest_of(path) == note["digests"].get(name)
        array = np.load(path, mmap_mode="r" if name == _MAPPED else None, allow_pickle=False) if unchanged else None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read: the basis is damaged; build it again") from error
    if array is None:
        raise InputError(f"{path} must be as it was saved; instead it was changed or cut: build the basis again")
    return array
