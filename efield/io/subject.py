"""SimNIBS subject folders, ``m2m_<id>``: the head, its map from MNI coordinates, caps and surfaces.

Layout: https://simnibs.github.io/simnibs (output files of charm and headreco).
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from efield.ground import checks
from efield.ground.errors import FileFormatError, InputError, OutsideHeadError, naming
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap, MniMap, ReversedMap, WarpMap
from efield.head.surface import TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.io.bounded.cursor import Cursor, file_bytes, numbers
from efield.io.eeg_positions import CapFile, read_eeg_positions
from efield.io.meshes.mesh_files import read_head
from efield.io.surfaces.gifti import read_surface
from efield.io.volumes.nifti import read_volume

HEMISPHERES: Final = ("lh", "rh")
SURFACES: Final = ("central", "pial", "white")

#: Maps in order of preference: file, and what it is. Names are matched whatever their case.
_MAPS: Final = (
    ("mni2conform_nonl.nii", "nonlinear warp"),
    ("conform2mni_nonl.nii", "nonlinear warp"),
    ("mni2conform_12dof.txt", "affine (12 degrees of freedom, MNI to subject)"),
    ("mni2conform_6dof.txt", "rigid transform (6 degrees of freedom, MNI to subject; sizes are not matched)"),
)

#: Places in the MNI152 brain (mm), on both sides: frontal, central and parietal gray matter, occipital, temporal.
_BRAIN_MM: Final = ((30, 45, 25), (37, -21, 58), (35, -55, 50), (20, -90, 5), (55, -20, -5))
#: Their median distance from a subject's brain by any map worth the name; by a wrong one it may be centimeters.
_FARTHEST_MM: Final = 12.0

#: Where the MNI152 brain ends (mm) to the left, right, back, front and top, and the way out there.
_ENDS_MM: Final = ((-71, -34, -2), (71, -34, -2), (16, -105, -3), (12, 73, 3), (12, -38, 81))
_WAYS: Final = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, 1))
#: How far beyond those a subject's brain may reach by a map worth the name, rigid ones of small brains included: what a
#: map leads into the brain need not be where it belongs. It may end as far below the top; to the sides, where the
#: opposite end tells of a shift, it may end anywhere: a part may be missing.
_BEYOND_MM: Final = 20.0
#: So far inside an end the way out is begun: nearer a warp turns places this way and that.
_INSIDE_MM: Final = 60.0


@dataclass(frozen=True)
class Subject:
    """What a subject folder holds; `find_subject` makes it.

    Parameters
    ----------
    folder : Path
    name : str
        The subject's id, of ``m2m_<id>``.
    mesh : Path
        The head mesh.
    t1 : Path or None
        The anatomical image, in the same coordinates; for `EField.to_nifti`.
    mni : Path or None
        The best file that maps MNI coordinates to the subject's.
    caps : tuple of Path
        Electrode positions, in the order in which a name is looked for: 10-10 before others, that of
        Jurcak et al. 2007 first.
    """

    folder: Path
    name: str
    mesh: Path
    t1: Path | None
    mni: Path | None
    caps: tuple[Path, ...]

    def positions(self, cap: str | None = None) -> dict[str, NDArray[np.float64]]:
        """Electrodes and fiducials of a cap by name, each (3,) mm.

        Parameters
        ----------
        cap : str, optional
            Name of the file, with or without ``.csv``; may be left out if there is one only.

        Raises
        ------
        InputError
            If the folder has no such cap.
        FileFormatError
            If the file cannot be read.
        """
        names = [path.stem for path in self.caps]
        if cap is None and len(names) == 1:
            return read_eeg_positions(self.caps[0])
        if not names or cap is None:
            raise InputError(f"cap must name a file in {self.folder / 'eeg_positions'}: {', '.join(names) or 'none'}")
        chosen = checks.choice("cap", cap.removesuffix(".csv"), names)
        return read_eeg_positions(self.caps[names.index(chosen)])

    def surface(self, hemisphere: str, kind: str = "central") -> TriangleSurface:
        """A cortical surface of the folder.

        Parameters
        ----------
        hemisphere : {"lh", "rh"}
        kind : {"central", "pial", "white"}

        Raises
        ------
        FileFormatError
            If the folder has no such surface, or it cannot be read.
        """
        checks.choice("hemisphere", hemisphere, HEMISPHERES)
        checks.choice("kind", kind, SURFACES)
        # Surfaces of these folders are in the coordinates of the T1, whatever their headers say.
        return read_surface(self.folder / "surfaces" / f"{hemisphere}.{kind}.gii", in_image_mm=True)


def find_subject(folder: str | os.PathLike[str]) -> Subject:
    """Look which files a subject folder holds; none is read yet.

    Parameters
    ----------
    folder : path_like
        ``m2m_<id>``.

    Raises
    ------
    FileFormatError
        If the folder does not exist or holds no head mesh.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileFormatError(f"a subject must be an existing folder m2m_<id>; instead {place} is none; check the path")
    name = place.resolve().name.removeprefix("m2m_")
    t1 = next((path for path in (place / "T1.nii.gz", place / "T1.nii") if path.is_file()), None)
    return Subject(
        folder=place,
        name=name,
        mesh=_mesh_file(place, name),
        t1=t1,
        mni=_map_file(place / "toMNI"),
        caps=tuple(sorted((place / "eeg_positions").glob("*.csv"), key=_cap_rank)),
    )


def load_subject(folder: str | os.PathLike[str]) -> HeadMesh:
    """The head of a subject folder, with the best map from MNI coordinates the folder has.

    Parameters
    ----------
    folder : path_like
        ``m2m_<id>``: ``<id>.msh``, and in ``toMNI`` the nonlinear warp ``MNI2Conform_nonl.nii.gz`` (for every MNI voxel
        the subject's coordinates, mm), else its inverse ``Conform2MNI_nonl.nii.gz``, else the matrix
        ``MNI2Conform_12DOF.txt`` (MNI to subject), else ``MNI2Conform_6DOF.txt`` (the same way).

    Returns
    -------
    HeadMesh
        Its `mni` is None where the folder has no map; targets that need one then say so. Its `caps` are the folder's,
        and read when an electrode is asked for.

    Raises
    ------
    FileFormatError
        If the folder holds no head mesh, a file is damaged, or the map does not lead to this brain. A damaged map is
        not passed over in favor of a worse one.
    """
    subject = find_subject(folder)
    head = replace(read_head(subject.mesh), caps=tuple(CapFile(path) for path in subject.caps))
    if subject.mni is None:
        return head
    head = replace(head, mni=read_mni_map(subject.mni))
    _check_leads_to_brain(head, subject.mni)
    return head


def read_mni_map(path: str | os.PathLike[str]) -> MniMap:
    """The map of a file of a folder ``toMNI``, by its name.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or its name is none of those `load_subject` knows.
    """
    place = Path(path)
    kind = next((text for name, text in _MAPS if place.name.lower().removesuffix(".gz") == name), None)
    if kind is None:
        raise FileFormatError(f"a map must be named like MNI2Conform_nonl.nii.gz; instead received {place.name!r}")
    # Folder and file, as a person knows them.
    description = f"{kind} of {'/'.join(place.absolute().parts[-3:])}"
    with naming(place):
        if place.suffix == ".txt":
            return AffineMap(_matrix(place), description)
        warp = WarpMap(*_warp_field(place), description)
    return ReversedMap(warp) if place.name.lower().startswith("conform2mni") else warp


def _cap_rank(path: Path) -> tuple[bool, bool, str]:
    name = path.name.lower()
    return "jurak" not in name and "jurcak" not in name, "10-10" not in name, name


def _mesh_file(folder: Path, name: str) -> Path:
    expected = folder / f"{name}.msh"
    if expected.is_file():
        return expected
    meshes = sorted(folder.glob("*.msh"))
    if len(meshes) != 1:
        found = ", ".join(path.name for path in meshes) or "no .msh file"
        subjects = sorted(path.name for path in folder.glob("m2m_*"))
        hint = f"; did you mean the folder {subjects[0]} in it?" if subjects else ""
        raise FileFormatError(f"the folder {folder} must hold {name}.msh; instead it holds {found}{hint}")
    return meshes[0]


def _map_file(folder: Path) -> Path | None:
    files = {path.name.lower().removesuffix(".gz"): path for path in sorted(folder.glob("*")) if path.is_file()}
    return next((files[name] for name, _ in _MAPS if name in files), None)


def _matrix(path: Path) -> NDArray[np.float64]:
    values = numbers(file_bytes(path), np.float64)
    if values is None or values.size != 16:
        found = "something else" if values is None else f"{values.size}"
        raise FileFormatError(f"{path} must hold the 16 numbers of a 4x4 matrix; instead it holds {found}")
    return np.asarray(values.reshape(4, 4))


def _warp_field(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    cursor = Cursor.open(path)
    volume, affine = read_volume(cursor)
    if volume.ndim == 5 and volume.shape[3] == 1:
        volume = volume[:, :, :, 0]
    if volume.ndim != 4 or volume.shape[3] != 3:
        raise cursor.error(f"a warp must have three numbers per voxel; instead its shape is {volume.shape}")
    return volume, affine


def misses_brain(head: HeadMesh, mni: MniMap) -> str:
    """How a map leads the MNI152 brain away from this one, in words; empty if it does not, or there is no brain.

    Raises
    ------
    OutsideHeadError
        If the map does not cover the brain.
    """
    brain = head.barycenters[np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER))]
    if not len(brain):
        return ""
    right = np.array(_BRAIN_MM, dtype=np.float64)
    places = mni.to_head(np.concatenate([right, right * (-1, 1, 1)]))
    distance = float(np.median(cKDTree(brain).query(places)[0]))
    if distance > _FARTHEST_MM:
        return f"it leads {distance:.0f} mm away from it"
    ends, ways = np.array(_ENDS_MM, dtype=np.float64), np.array(_WAYS, dtype=np.float64)
    try:
        found, inside = mni.to_head(ends), mni.to_head(ends - _INSIDE_MM * ways)
    except OutsideHeadError:  # a warp may end where the brain does
        return ""
    out = (found - inside) / np.linalg.norm(found - inside, axis=1, keepdims=True)
    beyond = (brain @ out.T).max(axis=0) - (found * out).sum(axis=1)
    off = float(max(beyond.max(), -beyond[-1]))
    return f"by it the brain's outline is {off:.0f} mm off" if off > _BEYOND_MM else ""


def _check_leads_to_brain(head: HeadMesh, path: Path) -> None:
    if head.mni is None:
        return
    try:
        missed = misses_brain(head, head.mni)
    except OutsideHeadError as error:
        raise FileFormatError(f"{path} must cover the brain; instead: {error}") from error
    if missed:
        raise FileFormatError(
            f"{path} must map the MNI152 brain onto this one; instead {missed}: it is "
            "another subject's, or maps the other way; put the right file there, or remove it and register the head"
        )
