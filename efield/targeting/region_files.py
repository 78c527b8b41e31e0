"""Regions in files, and the words for them: ``mask.nii.gz:3``, ``atlas.nii.gz:3,mni``, ``lh.aparc.annot:precentral``.

A label of a surface names vertices, not places: the surface is the one given behind it (``,surface=lh.white``), else
one of the same hemisphere with as many vertices, in the file's folder or in ``surf`` or ``surfaces`` beside it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import listed
from efield.ground.errors import InputError
from efield.head.surface import TriangleSurface
from efield.io.choice import split_choice
from efield.io.surfaces.gifti import read_surface
from efield.io.surfaces.vertex_labels import read_annotation, read_label
from efield.io.volumes.labels import read_labels
from efield.targeting.regions import Patch, Voxels

_VOLUMES: Final = (".nii", ".nii.gz")

#: Files that hold regions.
REGION_FILES: Final = (*_VOLUMES, ".annot", ".label")

#: Surfaces that are looked for, the middle of the cortex first; ``{}`` is the hemisphere.
_SURFACES: Final = ("{}.central.gii", "{}.central", "{}.white", "{}.white.gii", "{}.pial", "{}.pial.gii")
_FOLDERS: Final = (".", "../surf", "../surfaces")


@dataclass(frozen=True)
class RegionWord:
    """What a word says of a region in a file.

    Parameters
    ----------
    file : Path
    label : str
        Behind the colon; empty if nothing is.
    mni : bool
        Whether a volume is in MNI152 coordinates and the head's map takes it to the head.
    surface : Path or None
        Of a label of vertices.
    """

    file: Path
    label: str = ""
    mni: bool = False
    surface: Path | None = None

    @property
    def name(self) -> str:
        """Such as ``mask 3``, ``lh.aparc precentral``."""
        stem = self.file.name.removesuffix(".gz").rsplit(".", 1)[0]
        return f"{stem} {self.label}".strip()

    def region(self) -> Voxels | Patch:
        """The region, read from its file.

        Raises
        ------
        InputError
            If the file cannot be read, or has no such label or no surface.
        """
        if self.file.name.lower().endswith(_VOLUMES):
            return voxels_in(self.file, whole(self.label) if self.label else None, mni=self.mni)
        return patch_in(self.file, self.label, self.surface)


def region_word(text: str) -> RegionWord | None:
    """What ``FILE:LABEL[,mni][,surface=FILE]`` says; None for words that name no file of a region.

    Raises
    ------
    InputError
        If what stands behind the label is neither.
    """
    file, choice = split_choice(text, REGION_FILES)
    if not file.lower().endswith(REGION_FILES):
        return None
    volume = file.lower().endswith(_VOLUMES)
    label, *options = (choice or "").split(",")
    # A label may be left out, an option not.
    if label == "mni" or label.startswith("surface="):
        label, options = "", [label, *options]
    mni, surface = False, None
    for option in options:
        key, _, value = option.strip().partition("=")
        if volume and option.strip() == "mni":
            mni = True
        elif not volume and key == "surface" and value:
            surface = Path(value) if Path(value).exists() else Path(file).parent / value
        else:
            raise InputError(
                f"behind the label of {text!r} may stand {',mni' if volume else ',surface=FILE'}; instead received "
                f"{option!r}"
            )
    return RegionWord(Path(file), label.strip(), mni, surface)


def voxels_in(path: str | os.PathLike[str], value: int | None = None, *, mni: bool = False) -> Voxels:
    """The voxels of a label volume that hold a label; without one, all that hold the only label there is.

    Raises
    ------
    FileFormatError
        If the file cannot be read as labels.
    InputError
        If the volume does not hold the label, or holds several and none is named.
    """
    labels, affine = read_labels(path)
    held = np.unique(labels)
    known = [str(label) for label in held if label]
    if value is None and len(known) > 1:
        raise InputError(f"{path} holds {len(known)} labels: name one, {Path(path).name}:{known[0]}; {listed(known)}")
    wanted = int(known[0]) if value is None else value
    if str(wanted) not in known:
        raise InputError(f"{path} must hold the label {wanted}; instead it holds {listed(known)}")
    inside = labels == wanted
    corners = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    low = np.array([found[0] for found in corners])
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ low
    part = inside[tuple(slice(found[0], found[-1] + 1) for found in corners)]
    space = " (MNI152)" if mni else ""
    return Voxels(np.ascontiguousarray(part), moved, f"in label {wanted} of {Path(path).name}{space}", mni)


def patch_in(
    path: str | os.PathLike[str], label: str = "", surface: TriangleSurface | str | os.PathLike[str] | None = None
) -> Patch:
    """The cortex along the vertices of a label.

    Parameters
    ----------
    path : path_like
        ``.annot``, of which one label is named, or ``.label``.
    label : str
    surface : TriangleSurface or path_like, optional
        In head coordinates, with the vertices that the file numbers; looked for unless given.

    Raises
    ------
    FileFormatError
        If a file cannot be read.
    InputError
        If there is no such label, or no surface that fits.
    """
    file = Path(path)
    if file.name.lower().endswith(".label"):
        if label:
            raise InputError(f"{file.name} is one label; instead {label!r} was asked of it: leave it out")
        vertices = read_label(file)
        found = _surface_of(file, surface, int(vertices.max()) + 1, exactly=False)
        chosen = np.zeros(len(found.points_mm), np.bool_)
        chosen[vertices] = True
        return Patch(found, chosen, f"along {file.name}")
    chosen = _annotated(file, label)
    return Patch(_surface_of(file, surface, len(chosen), exactly=True), chosen, f"along {label} of {file.name}")


def _annotated(file: Path, label: str) -> NDArray[np.bool_]:
    """Whether each vertex has a label of an annotation."""
    annotation = read_annotation(file)
    used = [name for name, color in annotation.names.items() if (annotation.labels == color).any()]
    if not label:
        raise InputError(f"{file} holds {len(used)} labels: name one, {file.name}:{used[0]}; {listed(used)}")
    by_case = {name.lower(): name for name in used}
    name = by_case.get(label.lower()) or checks.choice(f"label of {file.name}", label, used)
    return annotation.vertices(name)


def _surface_of(file: Path, surface: object, count: int, *, exactly: bool) -> TriangleSurface:
    """The surface with as many vertices as a label has, or with as many at least."""
    if isinstance(surface, TriangleSurface):
        candidates: list[tuple[str, TriangleSurface]] = [("surface", surface)]
    elif surface is not None:
        candidates = [(str(surface), read_surface(Path(str(surface))))]
    else:
        hemisphere = file.name[:2].lower()
        places = [file.parent / folder / name.format(hemisphere) for folder in _FOLDERS for name in _SURFACES]
        candidates = [(place.name, read_surface(place)) for place in places if place.is_file()]
    for _, found in candidates:
        if len(found.points_mm) == count or (not exactly and len(found.points_mm) > count):
            return found
    tried = listed(f"{name} with {len(found.points_mm):,}" for name, found in candidates)
    raise InputError(
        f"{file.name} numbers {'' if exactly else 'at least '}{count:,} vertices and needs a surface that has them; "
        f"instead {tried or 'no surface lies beside it (lh.central.gii, lh.white, ..., also in ../surf)'}: give the "
        f"surface it was made on, {file.name}:...,surface=lh.white"
    )


def whole(text: str) -> int:
    """The number that names a label of a volume.

    Raises
    ------
    InputError
        If it is none.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise InputError(
            f"the label of a volume must be a whole number, as in mask.nii.gz:3; instead received {text!r}"
        )
    return int(text)
