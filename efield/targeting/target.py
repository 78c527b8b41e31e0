"""`Target`: a place in the head, its region, its direction, and where they come from."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, listed, place
from efield.ground.errors import OutsideHeadError
from efield.head.mesh import HeadMesh
from efield.head.midsurface import THICKEST_MM, mid_surface
from efield.head.surface import TriangleSurface, cortex
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name
from efield.targeting.region_files import RegionWord, patch_in, voxels_in
from efield.targeting.regions import Disc, Patch, Places, Region, Voxels, Where, mni_map

_GRAY: Final = (GRAY_MATTER,)

#: What `Target.tets` has found, for as long as head and target are alive.
_FOUND: Final[WeakKeyDictionary[HeadMesh, WeakKeyDictionary["Target", NDArray[np.intp]]]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, repr=False)
class Target(Carded):
    """A place in the head that the field is asked for.

    Parameters
    ----------
    name : str
    center_mm : (3,) array_like
        Center, head coordinates in mm.
    radius_mm : float
        The target's region is the tissue within this distance of the center; with a `region`, how far that reaches.
    tags : tuple of int
        Tissues the region consists of; gray matter by default.
    direction : (3,) array_like, optional
        Preferred direction of the induced current.
    note : str
        How center and direction were found on the head.
    region : Region, optional
        A region that is no ball: see `from_mask`, `from_labels`, `disc` and `where`.
    source : str
        Who says that the place is there.
    space : str
        The published coordinates and their space.
    spread_mm : (3,) array_like, optional
        Standard deviation of the place, as its source states it, along x, y and z of the head; None if not known.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> spot = ef.Target.sphere(center_mm=(0, 0, 65), radius_mm=8, name="vertex")
    >>> len(spot.tets(head)) > 0
    True
    """

    name: str
    center_mm: NDArray[np.float64]
    radius_mm: float = 10.0
    tags: tuple[int, ...] = _GRAY
    direction: NDArray[np.float64] | None = None
    note: str = ""
    region: Region | None = None
    source: str = ""
    space: str = ""
    spread_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_mm", checks.owned(checks.point_mm("center_mm", self.center_mm)))
        object.__setattr__(self, "radius_mm", checks.length_mm("radius_mm", self.radius_mm))
        if self.direction is not None:
            object.__setattr__(self, "direction", checks.read_only(checks.unit_vector("direction", self.direction)))
        if self.spread_mm is not None:
            object.__setattr__(self, "spread_mm", checks.owned(checks.vector("spread_mm", self.spread_mm)))

    @classmethod
    def sphere(
        cls,
        *,
        center_mm: ArrayLike,
        radius_mm: float = 10.0,
        tags: tuple[int, ...] = _GRAY,
        direction: ArrayLike | None = None,
        name: str = "",
    ) -> "Target":
        """The tissue `tags` (gray matter by default) within `radius_mm` of `center_mm`."""
        center = checks.vector("center_mm", center_mm)
        return cls(name or _named(center), center, radius_mm, tags, _direction(direction))

    @classmethod
    def disc(
        cls, center_mm: ArrayLike, radius_mm: float, *, direction: ArrayLike | None = None, name: str = ""
    ) -> "Target":
        """The gray matter along a disc on the middle of the cortex, as fields are compared for dosing.

        Of the middle of the cortex (`mid_surface`) the disc is the part within the radius of the place nearest to
        `center_mm` that hangs together with it, so that the other bank of a sulcus does not count. A summary gives its
        means over the disc itself as well, ``midsurface_mean_magnitude`` and so on.

        Examples
        --------
        >>> head = ef.head.sphere_head((66.0, 70.0, 73.0, 85.0), (1, 2, 3, 5), edge_mm=12.0)
        >>> disc = ef.Target.disc((0, 0, 68), 15)
        >>> len(disc.tets(head)) < len(ef.Target.sphere(center_mm=(0, 0, 68), radius_mm=19).tets(head))
        True
        """
        center, radius = checks.point_mm("center_mm", center_mm), checks.length_mm("radius_mm", radius_mm)
        note = "its center is moved to the middle of the cortex of each head"
        name = name or f"disc at {_named(center)}"
        return cls(name, center, radius, _GRAY, _direction(direction), note, Disc(center, radius))

    @classmethod
    def where(
        cls,
        function: Callable[[NDArray[np.float64]], Any],
        *,
        center_mm: ArrayLike,
        radius_mm: float = 10.0,
        tags: tuple[int, ...] = _GRAY,
        direction: ArrayLike | None = None,
        name: str = "",
    ) -> "Target":
        """The tissue `tags` within `radius_mm` of `center_mm` where a function of points says so.

        Parameters
        ----------
        function : callable
            Takes (n, 3) points in mm, head coordinates; gives (n,) bool.

        Examples
        --------
        >>> head = ef.head.sphere_head(edge_mm=12.0)
        >>> lateral = ef.Target.where(lambda points: points[:, 0] < 0, center_mm=(0, 0, 65))
        >>> bool((head.barycenters[lateral.tets(head), 0] < 0).all())
        True
        """
        center, radius = checks.point_mm("center_mm", center_mm), checks.length_mm("radius_mm", radius_mm)
        region = Where(function, center, radius)
        return cls(name or f"part of {_named(center)}", center, radius, tags, _direction(direction), region=region)

    @classmethod
    def from_mask(
        cls,
        path: str | os.PathLike[str],
        value: int | None = None,
        *,
        mni_of: HeadMesh | None = None,
        tags: tuple[int, ...] = _GRAY,
        direction: ArrayLike | None = None,
        name: str = "",
    ) -> "Target":
        """The tissue `tags` in the voxels of a NIfTI label volume, an atlas or a mask, that hold `value`.

        Parameters
        ----------
        path : path_like
            ``.nii`` or ``.nii.gz`` of whole numbers.
        value : int, optional
            May be left out where the volume holds one label only.
        mni_of : HeadMesh, optional
            The volume is in MNI152 coordinates, and this head's map takes it to the head; otherwise it is in those of
            the head.
        tags, direction, name
            As in `Target`.

        Raises
        ------
        FileFormatError
            If the file cannot be read as labels.
        InputError
            If the volume does not hold the value, or several and none is named; or the head has no map from MNI.
        """
        value = None if value is None else checks.whole("value", value, 1, 65535)
        region = voxels_in(path, value, mni=mni_of is not None)
        title = name or RegionWord(Path(path), "" if value is None else str(value)).name
        return cls._of_voxels(region, mni_of, tags, direction, title)

    @classmethod
    def from_labels(
        cls,
        path: str | os.PathLike[str],
        label: str = "",
        *,
        surface: TriangleSurface | str | os.PathLike[str] | None = None,
        direction: ArrayLike | None = None,
        name: str = "",
    ) -> "Target":
        """The gray matter along a label of a surface: a name in a FreeSurfer ``.annot``, or a ``.label``.

        A place belongs to the label if the surface's vertex nearest to it does, and is within 6 mm.

        Parameters
        ----------
        path : path_like
        label : str
            Of the annotation.
        surface : TriangleSurface or path_like, optional
            In head coordinates, with the vertices that the file numbers (white, middle or pial); by default one of the
            same hemisphere, looked for beside the file and in ``surf`` or ``surfaces`` beside its folder.
        direction, name
            As in `Target`.

        Raises
        ------
        FileFormatError
            If a file cannot be read.
        InputError
            If there is no such label, or no surface that fits.
        """
        return cls._of_patch(patch_in(path, label, surface), direction, name or RegionWord(Path(path), label).name)

    @classmethod
    def from_word(cls, word: RegionWord, head: HeadMesh) -> "Target":
        """The region in a file that a word names, on a head."""
        region = word.region()
        if isinstance(region, Patch):
            return cls._of_patch(region, None, word.name)
        return cls._of_voxels(region, head, _GRAY, None, word.name)

    @classmethod
    def _of_voxels(
        cls, region: Voxels, head: HeadMesh | None, tags: tuple[int, ...], direction: ArrayLike | None, name: str
    ) -> "Target":
        centers = region.centers_mm
        if region.mni and head is not None:
            centers = mni_map(head, name).to_head(centers)
        return cls(name, *_around(centers, region.diagonal_mm / 2.0), tags, _direction(direction), region=region)

    @classmethod
    def _of_patch(cls, region: Patch, direction: ArrayLike | None, name: str) -> "Target":
        vertices = region.surface.points_mm[region.chosen]
        return cls(name, *_around(vertices, THICKEST_MM), _GRAY, _direction(direction), region=region)

    def among(self, head: HeadMesh, points_mm: NDArray[np.float64]) -> NDArray[np.intp]:
        """Numbers of those of (n, 3) points in mm that lie in the region, whatever their tissue."""
        if self.region is None:
            offset = points_mm - self.center_mm
            return np.flatnonzero(np.einsum("ij,ij->i", offset, offset) <= self.radius_mm**2)
        return np.flatnonzero(self.region.holds(head, points_mm))

    def tets(self, head: HeadMesh) -> NDArray[np.intp]:
        """Numbers of the tetrahedra of the target's region (those whose barycenter lies in it).

        Raises
        ------
        OutsideHeadError
            If the region holds no tissue of the target's tags.
        """
        of_head = _FOUND.setdefault(head, WeakKeyDictionary())
        if self not in of_head:
            of_head[self] = self._find(head)
        return of_head[self].copy()

    def _find(self, head: HeadMesh) -> NDArray[np.intp]:
        own = np.flatnonzero(np.isin(head.tissue, self.tags))
        found = own[self.among(head, head.centers_of(own))]
        if not len(found):
            names = ", ".join(tissue_name(tag) for tag in self.tags)
            low, high = head.points.min(axis=0), head.points.max(axis=0)
            raise OutsideHeadError(
                f"target {self.name} must have {names} {self.extent}; instead it has none: "
                f"the head spans {_triple(low)} to {_triple(high)} mm; {self._remedy}"
            )
        return found

    def kept(self, head: HeadMesh) -> "Target":
        """The same target with a region that can be stored: one that is no ball becomes its places on this head."""
        if self.region is None or isinstance(self.region, Places):
            return self
        places = [head.centers_of(self.tets(head))]
        if GRAY_MATTER in head.tags:
            places.append(cortex(head).centers_mm)
        if {WHITE_MATTER, GRAY_MATTER} <= set(head.tags):
            places.append(mid_surface(head).points_mm)
        inside = [places[0], *(points[self.among(head, points)] for points in places[1:])]
        return replace(self, region=Places(np.concatenate(inside), self.region.words))

    @property
    def extent(self) -> str:
        """What the region is, in words that follow its tissue: ``within 10 mm``, ``in label 3 of mask.nii.gz``."""
        return f"within {self.radius_mm:g} mm" if self.region is None else self.region.words

    @property
    def _remedy(self) -> str:
        if isinstance(self.region, Voxels):
            low, high = self.center_mm - self.radius_mm, self.center_mm + self.radius_mm
            how = (
                "" if self.region.mni else "; if it is in MNI152 coordinates, say so (mask.nii.gz:3,mni or mni_of=head)"
            )
            return f"the label lies within {_triple(low)} to {_triple(high)} mm{how}"
        return "move the target or enlarge its radius (--radius)"

    def to_json(self) -> dict[str, Any]:
        """All that is known of the target, ready for `json.dump`; of a region that is no ball its words."""
        return {
            "name": self.name,
            "center_mm": self.center_mm.tolist(),
            "radius_mm": self.radius_mm,
            "tags": list(self.tags),
            "direction": None if self.direction is None else self.direction.tolist(),
            "note": self.note,
            "region": None if self.region is None else self.region.words,
            "source": self.source,
            "space": self.space,
            "spread_mm": None if self.spread_mm is None else self.spread_mm.tolist(),
        }

    def _card(self) -> Card:
        rows = (
            ("center", place(self.center_mm)),
            ("tissue", f"{listed(tissue_name(tag) for tag in self.tags)} {self.extent}"),
            ("direction", "none" if self.direction is None else f"{place(self.direction, '')}, of the induced current"),
            ("spread", "" if self.spread_mm is None else f"SD {place(self.spread_mm)} along x, y, z"),
            ("source", "; ".join(filter(None, (self.space, self.source)))),
            ("found", self.note),
        )
        return Card(f"Target {self.name}", rows)


def _named(center: NDArray[np.float64]) -> str:
    return "({:g}, {:g}, {:g})".format(*center)


def _direction(value: ArrayLike | None) -> NDArray[np.float64] | None:
    return None if value is None else checks.unit_vector("direction", value)


def _around(points_mm: NDArray[np.float64], beyond_mm: float) -> tuple[NDArray[np.float64], float]:
    """The mean of some points, and how far they and what lies around them reach from it."""
    center = points_mm.mean(axis=0)
    return center, float(np.linalg.norm(points_mm - center, axis=1).max()) + beyond_mm


def _triple(values: NDArray[np.float64]) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*values)
