"""A head or coil from what a person types: a name, or a file. Poses: `efield.io.poses.reading`."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.coils.model import Coil, Segments
from efield.ground import checks
from efield.ground.errors import EfieldWarning, FileFormatError, InputError
from efield.head.mesh import HeadMesh
from efield.head.remarks import remarks
from efield.head.spheres import sphere_head
from efield.head.template import load_template
from efield.io.choice import split_choice
from efield.io.coils.ccd import read_ccd
from efield.io.coils.stl import read_stl
from efield.io.coils.tcd import read_tcd
from efield.io.coils.wire import read_windings, read_wire
from efield.io.meshes import mesh_files
from efield.io.meshes.tags import Tags
from efield.io.mni_sidecar import read_sidecar
from efield.io.subject import load_subject

HEAD_NAMES: Final = ("mni152", "sphere")
HEAD_SUFFIXES: Final = mesh_files.SUFFIXES
COIL_SUFFIXES: Final = (".ccd", ".tcd", ".nii", ".nii.gz", ".toml", ".csv")

#: Coil files that choices may stand behind; those of one coil that does not move say so.
COIL_CHOICES: Final = COIL_SUFFIXES

#: The windings of a TMS coil are wider than this (mm): narrower ones are drawings in centimeters or meters.
_NARROWEST_MM: Final = 20.0


def load_head(name_or_path: str | os.PathLike[str], *, tags: Tags | None = None) -> HeadMesh:
    """A head by name, or from a file.

    Parameters
    ----------
    name_or_path : str or path_like
        ``mni152`` (the default head), ``sphere`` (nested spheres), a subject folder ``m2m_<id>`` of SimNIBS, or a
        mesh file in mm: ``.msh``, ``.vtu``, or one of `efield.io.meshes.other_meshes.FORMATS`, which need the extra
        ``formats``. The map from MNI coordinates that `efield mesh build` puts beside a mesh,
        ``head.msh.mni.json`` for ``head.msh``, is read, too.
    tags : str or mapping, optional
        For mesh files: the name of the array that holds the tissue tags, where the file leaves doubt; or the tissue
        (tag or name) of each number or group in it, such as ``{1: "scalp", 2: "bone"}``.

    Returns
    -------
    HeadMesh
        The head.

    Raises
    ------
    InputError
        If it is neither a known name nor a known kind of file; the nearest name is suggested.
    FileFormatError
        If the file or folder cannot be read.
    MissingDependencyError
        If a mesh needs the extra, and it is not installed.

    Warns
    -----
    EfieldWarning
        If the mesh is a piece of a head or more than one, or has no skull or scalp.

    Examples
    --------
    >>> ef.load_head("sphere").tags
    (2, 3, 4, 5)
    """
    text = _text("head", name_or_path)
    if tags is not None and (text in HEAD_NAMES or Path(text).is_dir()):
        raise InputError(f"tags must be given for mesh files only; instead received them for {text}: leave them out")
    if text == "mni152":
        return load_template()
    if text == "sphere":
        return sphere_head()
    if Path(text).is_dir():
        return _remarked(load_subject(text))
    suffix = _suffix(text, HEAD_SUFFIXES)
    if suffix is None:
        raise _unknown("head", text, HEAD_NAMES, HEAD_SUFFIXES)
    head = mesh_files.read_head(text, tags)
    mni = read_sidecar(text)
    return _remarked(head if mni is None else replace(head, mni=mni))


def _remarked(head: HeadMesh) -> HeadMesh:
    """The head, with a warning for each thing about it that is not as usual."""
    for text in remarks(head):
        warnings.warn(text, EfieldWarning, stacklevel=3)
    return head


def load_coil(
    name_or_path: str | os.PathLike[str],
    *,
    settings: Mapping[str, float] | None = None,
    stimulator: str | int | None = None,
) -> Coil:
    """A coil by name, or from a file.

    Parameters
    ----------
    name_or_path : str or path_like
        A name of the catalog such as ``magstim-70mm-figure8``, or a ``.ccd``, ``.tcd``, ``.nii``, ``.nii.gz``,
        ``.toml`` (windings) or ``.csv`` (wire path) file. Choices may stand behind the name of a file, as on the
        command line: ``coil.tcd:rot2p-0=10,stimulator=1``.
    settings : mapping of str to float, optional
        How far the parts of a deformable ``.tcd`` coil are moved, mm or degrees, by name; `Coil.assumptions` lists the
        names, and their limits.
    stimulator : str or int, optional
        Name or number (from 0) of the stimulator, for ``.tcd`` and ``.nii`` files that hold several.

    Returns
    -------
    Coil
        The coil.

    Raises
    ------
    InputError
        If it is neither a known name nor a known kind of file; the nearest name is suggested. Also for choices that the
        file does not offer, and without a stimulator where one must be chosen.
    FileFormatError
        If the file cannot be read, or its wires are narrower than those of any TMS coil: they are not in mm.

    Notes
    -----
    A casing is read from ``NAME.stl`` beside ``NAME.ccd`` (or ``.csv``, ``.nii``, ``.tcd``) where the file itself has
    none, in mm of the coil frame; `Coil.assumptions` says so.

    Examples
    --------
    >>> ef.load_coil("d70").name
    'magstim-70mm-figure8'
    """
    text = _text("coil", name_or_path)
    text, choices = split_choice(text, COIL_CHOICES)
    if choices is not None:
        if settings is not None or stimulator is not None:
            raise InputError(
                f"choices must be given once; instead {name_or_path!r} has some, and so have the arguments"
            )
        settings, stimulator = _choices(choices)
    suffix = _suffix(text, COIL_SUFFIXES)
    coil = _coil(text, suffix, settings, stimulator)
    return coil if suffix is None else _in_casing(_of_size(coil, text), text, suffix)


def _coil(text: str, suffix: str | None, settings: Mapping[str, float] | None, stimulator: str | int | None) -> Coil:
    if suffix == ".tcd":
        return read_tcd(text, settings, stimulator=stimulator)
    if settings:
        raise InputError(
            f"settings must be left out, as only .tcd coils deform and {text} has none; instead received "
            f"{', '.join(settings)}"
        )
    if suffix in (".nii", ".nii.gz"):
        from efield.io.coils.grid import read_coil_grid

        return read_coil_grid(text, stimulator=_number_of(stimulator))
    if stimulator is not None:
        raise InputError(f"stimulator must be left out for {text}, which has one; instead received {stimulator!r}")
    return _plain_coil(text, suffix)


def _of_size(coil: Coil, text: str) -> Coil:
    """The coil, unless its wires are too small for one."""
    wires = [source.extent_mm for source in coil.sources if isinstance(source, Segments)]
    width = float(np.ptp(np.concatenate(wires), axis=0).max()) if wires else np.inf
    if width < _NARROWEST_MM:
        raise FileFormatError(
            f"{text}: lengths must be in mm; instead the wires are {width:.3g} mm wide, and those of the smallest TMS "
            f"coils are {_NARROWEST_MM:g}: multiply centimeters by 10, meters by 1000"
        )
    return coil


def _in_casing(coil: Coil, text: str, suffix: str) -> Coil:
    """The coil in the casing that lies beside its file, if neither the file nor its windings tell of one."""
    beside = Path(text[: -len(suffix)] + ".stl")
    if coil.shape_from not in ("sources", "nothing") or not beside.is_file():
        return coil
    note = f"casing read from {beside.name}, beside the coil's file"
    return replace(coil.with_casing(read_stl(beside)), assumptions=(*coil.assumptions, note))


def _plain_coil(text: str, suffix: str | None) -> Coil:
    """A coil of the catalog, or of a file that leaves no choice."""
    if suffix is None and not _looks_like_path(text):
        from efield.coils.catalog import load_named

        return load_named(text)
    if suffix == ".ccd":
        return read_ccd(text)
    if suffix == ".toml":
        return read_windings(text)
    if suffix == ".csv":
        return read_wire(text)
    raise _unknown("coil", text, (), COIL_SUFFIXES)


def _choices(text: str) -> tuple[dict[str, float], str | int | None]:
    """Settings and stimulator of ``rot2p-0=10,stimulator=1``."""
    settings: dict[str, float] = {}
    stimulator: str | int | None = None
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not name or not value or name in settings or (name == "stimulator" and stimulator is not None):
            raise InputError(
                f"choices behind a coil file must be NAME=VALUE, each once, separated by commas, such as "
                f"coil.tcd:rot2p-0=10,stimulator=1; instead received {text!r}"
            )
        if name == "stimulator":
            stimulator = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value
        else:
            settings[name] = checks.number(f"setting {name}", value)
    return settings, stimulator


def _number_of(stimulator: str | int | None) -> int | None:
    if isinstance(stimulator, str):
        raise InputError(f"stimulator of a .nii file must be a number from 0; instead received {stimulator!r}")
    return stimulator


def _text(what: str, name_or_path: Any) -> str:
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputError(f"{what} must be a name or a file; instead received {checks.kind(name_or_path)}")
    return os.fspath(name_or_path)


def _suffix(text: str, suffixes: tuple[str, ...]) -> str | None:
    return next((suffix for suffix in sorted(suffixes, key=len) if text.lower().endswith(suffix)), None)


def _looks_like_path(text: str) -> bool:
    return os.sep in text or "/" in text or Path(text).exists() or bool(Path(text).suffix[1:].isalpha())


def _unknown(what: str, text: str, names: tuple[str, ...], suffixes: tuple[str, ...]) -> InputError:
    if what == "head" and (Path(text).name.startswith("m2m_") or text.endswith(("/", os.sep))):
        return FileFormatError(f"{what} {text} must be a folder that exists; instead there is none: check the path")
    if Path(text).is_dir():
        return InputError(f"{what} must be a name or a file; instead {text} is a folder; name the file inside it")
    near = get_close_matches(text.lower(), names, n=1, cutoff=0.4)
    folder = ["a subject folder m2m_<id>"] if what == "head" else []
    accepted = ", ".join([*names, *folder, f"a file that ends in {' or '.join(suffixes)}"])
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if what == "head" and text.lower().endswith((".nii", ".nii.gz")):
        hint = "; make a mesh of a label volume with `efield mesh build`"
    return InputError(f"{what} must be one of: {accepted}; instead received {text!r}{hint}")
