"""`HeadMesh`: a head as tetrahedra with a tissue tag each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, counted, extent, listed
from efield.ground.errors import InputError
from efield.head.cap import Cap
from efield.head.mni import MniMap, as_map
from efield.head.tissue import tissue_name
from efield.kernels.geometry import volumes

T = TypeVar("T")

#: VTK's number for a tetrahedron.
_VTK_TETRA: Final = 10

#: A head, or a piece of one, is at least this wide (mm); anything smaller is a mesh in meters or centimeters.
_SMALLEST_HEAD_MM = 20.0

#: Wider than a body in meters; heads in centimeters are wider than this.
_WIDEST_IN_METERS = 3.0
#: No person is wider or taller.
_WIDEST_MM = 3000.0


@dataclass(frozen=True, eq=False, repr=False)
class HeadMesh(Carded):
    """A conforming tetrahedral mesh of a head; all arrays are read-only.

    Parameters
    ----------
    points : (n, 3) array_like of float, mm
        Node coordinates, RAS.
    tets : (m, 4) array_like of int
        0-based node numbers; every tetrahedron must have a positive volume,
        that is (p1 - p0) x (p2 - p0) . (p3 - p0) > 0.
    tissue : (m,) array_like of int
        SimNIBS tissue tags (1 white matter, 2 gray matter, 3 CSF, 4 bone, 5 scalp, ...).
    mni : MniMap or (4, 4) array_like, optional
        Map from MNI152 coordinates to those of this head, mm; a matrix becomes an `AffineMap`. Where it is None,
        targets that are known in MNI coordinates cannot be found.
    caps : tuple of Cap
        Electrode positions of this head, the preferred cap first; where they lack a name, 10-10 positions are measured
        on the scalp.

    Raises
    ------
    InputError
        On wrong shapes, non-finite coordinates, node numbers out of range, flat or inverted tetrahedra, or
        coordinates that look like meters or centimeters.

    Examples
    --------
    >>> corners = 30.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> head = ef.HeadMesh(points=corners, tets=[[0, 1, 2, 3]], tissue=[2])
    >>> round(head.tissue_volume_mm3(2))
    4500
    """

    points: NDArray[np.float64]
    tets: NDArray[np.int32]
    tissue: NDArray[np.uint16]
    mni: MniMap | None = None
    caps: tuple[Cap, ...] = ()

    def __post_init__(self) -> None:
        points = checks.vectors("points", self.points, minimum=4)
        tets = _as_tets(self.tets, len(points))
        tissue = _as_tags(self.tissue, len(tets))
        used = np.zeros(len(points), dtype=bool)
        used[tets] = True
        extent = float(np.ptp(points[used], axis=0).max())
        if extent < _SMALLEST_HEAD_MM:
            unit, factor = ("meters", 1000) if extent < _WIDEST_IN_METERS else ("centimeters", 10)
            raise InputError(
                f"points must be in millimeters; instead the mesh is only {extent:.3g} wide, "
                f"which looks like {unit}: multiply the coordinates by {factor}"
            )
        if extent > _WIDEST_MM:
            raise InputError(
                f"points must be in millimeters; instead the mesh is {extent:.3g} wide, which looks like micrometers: "
                "divide the coordinates by 1000"
            )
        object.__setattr__(self, "points", checks.owned(points))
        object.__setattr__(self, "tets", checks.owned(tets))
        object.__setattr__(self, "tissue", checks.owned(tissue))
        object.__setattr__(self, "mni", as_map(self.mni))
        self._check_orientation()

    def _check_orientation(self) -> None:
        bad = np.flatnonzero(~(self.volumes > 0))
        if len(bad):
            raise InputError(
                f"tets must have positive volume; instead {len(bad)} of {len(self.tets)} are flat or inverted "
                f"(first: number {bad[0]}): swap two node numbers of the inverted ones, or mesh the head again"
            )

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """(m,) volume of each tetrahedron, mm^3."""
        return np.asarray(volumes.signed_volumes(self.points, self.tets))

    @cached_property
    def barycenters(self) -> NDArray[np.float64]:
        """(m, 3) centers of the tetrahedra, mm."""
        return np.asarray(volumes.centers(self.points, self.tets))

    def centers_of(self, tets: NDArray[np.integer]) -> NDArray[np.float64]:
        """(k, 3) centers of some tetrahedra (k,), mm: the same as in `barycenters`, without those of all."""
        return np.asarray(volumes.centers(self.points, checks.read_only(self.tets[tets])))

    @cached_property
    def tags(self) -> tuple[int, ...]:
        """The tissue tags that occur, ascending."""
        return tuple(int(t) for t in np.unique(self.tissue))

    def to_pyvista(self) -> Any:
        """The mesh for PyVista, in mm.

        Returns
        -------
        pyvista.UnstructuredGrid
            Tetrahedra, with their tag as the cell array ``tissue``.
        """
        import pyvista

        cells = np.column_stack([np.full(len(self.tets), 4, np.int32), self.tets]).ravel()
        grid = pyvista.UnstructuredGrid(cells, np.full(len(self.tets), _VTK_TETRA, np.uint8), self.points.copy())
        grid.cell_data["tissue"] = self.tissue.copy()
        return grid

    def tissue_volume_mm3(self, tag: int) -> float:
        """Volume of one tissue, mm^3."""
        return float(self.volumes[self.tissue == tag].sum())

    def _card(self) -> Card:
        tags = np.flatnonzero(np.bincount(self.tissue))
        rows = (
            ("size", f"{counted(len(self.points), 'node')}, {counted(len(self.tets), 'tetrahedron', 'tetrahedra')}"),
            ("extent", f"{extent(self.points)}, RAS"),
            ("tissues", listed(tissue_name(int(tag)) for tag in tags)),
            ("MNI152", _map_in_words(self.mni)),
            ("electrodes", listed(cap.origin for cap in self.caps)),
        )
        return Card("HeadMesh", rows)


def _map_in_words(mni: MniMap | None) -> str:
    if mni is None:
        return "no map"
    return "its own coordinates" if mni.is_identity else mni.description


def _as_tets(value: object, n_points: int) -> NDArray[np.int32]:
    tets = np.asarray(value)
    if tets.ndim != 2 or tets.shape[1] != 4 or not len(tets):
        raise InputError(f"tets must have shape (m, 4) with m >= 1; instead received shape {tets.shape}")
    if not np.issubdtype(tets.dtype, np.integer):
        raise InputError(f"tets must be integers; instead received {tets.dtype}")
    low, high = int(tets.min()), int(tets.max())
    if low < 0 or high >= n_points:
        raise InputError(
            f"tets must hold node numbers 0 to {n_points - 1}; instead received {low} to {high}"
            + ("; numbers that start at 1 need 1 subtracted" if low == 1 and high == n_points else "")
        )
    return np.ascontiguousarray(tets, dtype=np.int32)


def _as_tags(value: object, n_tets: int) -> NDArray[np.uint16]:
    tissue = np.asarray(value)
    if tissue.shape != (n_tets,):
        raise InputError(
            f"tissue must have one tag per tetrahedron, shape ({n_tets},); instead received {tissue.shape}"
        )
    if not np.issubdtype(tissue.dtype, np.integer) or tissue.min() < 0 or tissue.max() > 65535:
        raise InputError("tissue must be integer tags from 0 to 65535, such as 1 (white matter) to 5 (scalp)")
    return np.ascontiguousarray(tissue, dtype=np.uint16)


def given_head(value: Any) -> HeadMesh:
    """A head that was given to a function that does not load any.

    Raises
    ------
    InputError
        If it is no head.
    """
    if isinstance(value, HeadMesh):
        return value
    raise InputError(f"head must be a HeadMesh, such as load_head('mni152'); instead received {checks.kind(value)}")


def once_per_head(function: Callable[[HeadMesh], T]) -> Callable[[HeadMesh], T]:
    """Remember a function's result for as long as the head it was computed for is alive."""
    results: WeakKeyDictionary[HeadMesh, T] = WeakKeyDictionary()

    @wraps(function)
    def cached(head: HeadMesh) -> T:
        if head not in results:
            results[head] = function(given_head(head))
        return results[head]

    return cached
