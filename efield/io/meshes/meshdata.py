"""`MeshData`: all that a mesh file holds, before any of it becomes a head."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.numbering import renumbered
from efield.head.mesh import HeadMesh

#: No head coordinate is farther from the origin (mm) than ten meters.
_FARTHEST_MM = 1e4


@dataclass(frozen=True, eq=False)
class MeshData:
    """The content of a mesh file; all arrays are read-only.

    Parameters
    ----------
    points : (n, 3) ndarray of float, mm
        All nodes of the file, used or not.
    tets : (m, 4) ndarray of int32
        Tetrahedra, 0-based numbers into `points`.
    tissue : (m,) ndarray of int
        First (physical) tag of each tetrahedron.
    triangles : (k, 3) ndarray of int32
        Triangles, 0-based numbers into `points`.
    triangle_tags : (k,) ndarray of int
        First (physical) tag of each triangle; SimNIBS uses 1000 + tissue.
    node_data : dict of str to (n,) or (n, c) ndarray
        Values at `points`; nan where the file gives none.
    element_data : dict of str to (m,) or (m, c) ndarray
        Values on `tets`; nan where the file gives none.
    triangle_data : dict of str to (k,) or (k, c) ndarray
        Values on `triangles`; nan where the file gives none.
    tet_entities, triangle_entities : (m,), (k,) ndarray of int, optional
        Second (elementary) tag; equal to the first where not given.
    other_elements : dict of str to int
        How many points, lines and other lower-dimensional elements were left out, by name.

    Raises
    ------
    InputError
        On wrong shapes, coordinates that are not finite or too large to be millimeters, or node numbers that
        are out of range.
    """

    points: NDArray[np.float64]
    tets: NDArray[np.int32]
    tissue: NDArray[Any]
    triangles: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 3), np.int32))
    triangle_tags: NDArray[Any] = field(default_factory=lambda: np.empty(0, np.int32))
    node_data: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    element_data: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    triangle_data: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tet_entities: NDArray[Any] | None = None
    triangle_entities: NDArray[Any] | None = None
    other_elements: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_head(
        cls,
        head: HeadMesh,
        node_data: Mapping[str, ArrayLike] | None = None,
        element_data: Mapping[str, ArrayLike] | None = None,
    ) -> "MeshData":
        """A head, and fields at its nodes and on its tetrahedra."""
        at_nodes, on_tets = (
            {name: np.asarray(values) for name, values in (data or {}).items()} for data in (node_data, element_data)
        )
        return cls(head.points, head.tets, head.tissue, node_data=at_nodes, element_data=on_tets)

    def __post_init__(self) -> None:
        points = checks.vectors("points", self.points)
        if len(points) and np.abs(points).max() > _FARTHEST_MM:
            raise InputError(
                f"points must be in millimeters; instead a coordinate is {np.abs(points).max():.3g}, "
                "farther than ten meters from the origin; the file is damaged or not in millimeters"
            )
        object.__setattr__(self, "points", points)
        for name, width in (("tets", 4), ("triangles", 3)):
            object.__setattr__(self, name, _node_numbers(name, getattr(self, name), width, len(points)))
        if self.tet_entities is None:
            object.__setattr__(self, "tet_entities", self.tissue)
        if self.triangle_entities is None:
            object.__setattr__(self, "triangle_entities", self.triangle_tags)
        self._check_lengths()
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, item.name, checks.read_only(value))

    def _check_lengths(self) -> None:
        sizes = {"tissue": self.tets, "tet_entities": self.tets, "triangle_tags": self.triangles}
        for name, elements in {**sizes, "triangle_entities": self.triangles}.items():
            tags = np.asarray(getattr(self, name))
            if tags.shape != (len(elements),) or not np.issubdtype(tags.dtype, np.integer):
                raise InputError(f"{name} must be {len(elements)} integers; instead received {tags.dtype} {tags.shape}")
            object.__setattr__(self, name, tags)
        for name, owner in (
            ("node_data", self.points),
            ("element_data", self.tets),
            ("triangle_data", self.triangles),
        ):
            object.__setattr__(self, name, _checked_data(name, getattr(self, name), len(owner)))

    def head(self) -> HeadMesh:
        """The tetrahedra as a head; nodes that no tetrahedron uses are left out.

        Raises
        ------
        InputError
            If there are no tetrahedra, or they do not make a valid `HeadMesh`. Inverted tetrahedra are refused,
            not renumbered: a head with left and right swapped shows in nothing else.
        """
        if not len(self.tets):
            raise InputError(
                "a head needs tetrahedra; instead the file holds "
                f"{len(self.triangles)} triangles and no tetrahedron; mesh the volume first"
            )
        used, tets = renumbered(self.tets)
        points = self.points if len(used) == len(self.points) else self.points[used]
        return HeadMesh(points=points, tets=tets, tissue=self.tissue)


def _node_numbers(name: str, value: object, width: int, n_points: int) -> NDArray[np.int32]:
    nodes = np.asarray(value)
    if nodes.ndim != 2 or nodes.shape[1] != width or not np.issubdtype(nodes.dtype, np.integer):
        raise InputError(f"{name} must be integers of shape (k, {width}); instead received {nodes.dtype} {nodes.shape}")
    if len(nodes) and (nodes.min() < 0 or nodes.max() >= n_points):
        raise InputError(
            f"{name} must refer to nodes 0 to {n_points - 1}; instead received {nodes.min()} to {nodes.max()}"
        )
    return np.ascontiguousarray(nodes, dtype=np.int32)


def _checked_data(name: str, data: Mapping[str, Any], length: int) -> dict[str, NDArray[Any]]:
    checked = {}
    for key, value in data.items():
        array = np.asarray(value)
        if array.ndim not in (1, 2) or len(array) != length or array.dtype.kind not in "fiub":
            raise InputError(
                f"{name}[{key!r}] must be {length} numbers or rows of numbers; "
                f"instead received {array.dtype} of shape {array.shape}"
            )
        checked[str(key)] = checks.read_only(array)
    return checked
