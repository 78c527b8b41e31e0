"""What a coil is: a set of field sources per ampere, the shape of its windings, and of the casing around them.

Coil frame (mm): the origin lies on the head-side face of the casing at the coil's center, z points into the
head, y away from the handle. The windings of a flat coil lie at z < 0. Whether a positive dI/dt induces E = -dA/dt
along +y or -y under the center is the coil's own: `efield.coils.polarity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from efield.coils.casing import Casing
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted, extent, rate
from efield.ground.errors import InputError
from efield.ground.pose import Pose


def _freeze(instance: object, **arrays: FloatArray) -> None:
    for name, array in arrays.items():
        object.__setattr__(instance, name, checks.owned(array))


@dataclass(frozen=True, eq=False, repr=False)
class Dipoles(Carded):
    """Point magnetic dipoles.

    Parameters
    ----------
    points_mm : (k, 3) array_like
        Positions in the coil frame.
    moments_am2 : (k, 3) array_like
        Moments in A m^2 per ampere of coil current.

    Raises
    ------
    InputError
        If the arrays are not finite, not (k, 3), empty, or of different length.
    """

    points_mm: FloatArray
    moments_am2: FloatArray

    def __post_init__(self) -> None:
        points = checks.vectors("points_mm", self.points_mm, minimum=1)
        moments = checks.vectors("moments_am2", self.moments_am2, minimum=1)
        if len(points) != len(moments):
            raise InputError(
                "points_mm and moments_am2 must have the same length; "
                f"instead received {len(points)} and {len(moments)}"
            )
        _freeze(self, points_mm=points, moments_am2=moments)

    def __len__(self) -> int:
        return len(self.points_mm)

    @property
    def extent_mm(self) -> FloatArray:
        """(k, 3) points that span the sources."""
        return self.points_mm

    def _card(self) -> Card:
        return Card("Dipoles", (("size", counted(len(self), "dipole")), ("unit", "A m^2 per ampere of coil current")))


@dataclass(frozen=True, eq=False, repr=False)
class Segments(Carded):
    """Straight, infinitely thin wire segments.

    Parameters
    ----------
    starts_mm, ends_mm : (k, 3) array_like
        Ends in the coil frame; positive current runs from start to end.
    turns : (k,) array_like or float
        Ampere-turns each segment carries per ampere of coil current (a fraction where several filaments
        share one wire).
    gmd_mm : float, optional
        Geometric mean distance of the wire's cross-section that each filament stands for; for its inductance only.

    Raises
    ------
    InputError
        If the arrays are not finite, of different length, empty, or a segment has no length.
    """

    starts_mm: FloatArray
    ends_mm: FloatArray
    turns: FloatArray = field(default_factory=lambda: np.ones(1))
    gmd_mm: float | None = None

    def __post_init__(self) -> None:
        starts = checks.vectors("starts_mm", self.starts_mm, minimum=1)
        ends = checks.vectors("ends_mm", self.ends_mm, minimum=1)
        if len(starts) != len(ends):
            raise InputError(
                f"starts_mm and ends_mm must have the same length; instead received {len(starts)} and {len(ends)}"
            )
        turns = checks.as_float_array("turns", self.turns)
        if turns.size == 1:
            turns = np.full(len(starts), turns.item())
        if turns.shape != (len(starts),):
            raise InputError(f"turns must be one number or {len(starts)}; instead received shape {turns.shape}")
        if self.gmd_mm is not None:
            checks.positive("gmd_mm", self.gmd_mm)
        empty = np.flatnonzero((starts == ends).all(axis=1))
        if len(empty):
            raise InputError(f"every segment must have a length; instead segment {empty[0]} starts where it ends")
        _freeze(self, starts_mm=starts, ends_mm=ends, turns=turns)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All segments of several sets; the mean distance is known where all have the same."""
        distances = {part.gmd_mm for part in parts}
        starts, ends, turns = zip(*((part.starts_mm, part.ends_mm, part.turns) for part in parts), strict=True)
        gmd = distances.pop() if len(distances) == 1 else None
        return cls(np.concatenate(starts), np.concatenate(ends), np.concatenate(turns), gmd)

    def __len__(self) -> int:
        return len(self.starts_mm)

    @property
    def extent_mm(self) -> FloatArray:
        """(2k, 3) points that span the sources."""
        return np.concatenate([self.starts_mm, self.ends_mm])

    def _card(self) -> Card:
        gmd = "" if self.gmd_mm is None else f"{self.gmd_mm:g} mm"
        rows = (
            ("size", counted(len(self), "segment")),
            ("extent", extent(self.extent_mm)),
            ("geometric mean distance", gmd),
        )
        return Card("Segments, of wire", rows)


@dataclass(frozen=True, eq=False, repr=False)
class SampledField(Carded):
    """A vector potential sampled on a regular grid, as a coil NIfTI file holds it; trilinear in between.

    Parameters
    ----------
    affine : (4, 4) array_like
        Voxel indices to coil coordinates in mm.
    a_tm : (nx, ny, nz, 3) array_like
        A in T m per ampere, in coil axes; at least two samples along each axis.

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite or the affine cannot be inverted.
    """

    affine: FloatArray
    a_tm: FloatArray

    def __post_init__(self) -> None:
        affine = checks.affine("affine", self.affine)
        samples = checks.as_float_array("a_tm", self.a_tm)
        if samples.ndim != 4 or samples.shape[3] != 3 or min(samples.shape[:3]) < 2:
            raise InputError(
                "a_tm must have shape (nx, ny, nz, 3) with at least 2 samples along each axis; "
                f"instead received shape {samples.shape}"
            )
        _freeze(self, affine=affine, a_tm=samples)

    def __len__(self) -> int:
        return int(np.prod(self.a_tm.shape[:3]))

    @property
    def extent_mm(self) -> FloatArray:
        """(0, 3): a sampled field does not say where its wires are."""
        return np.empty((0, 3))

    def _card(self) -> Card:
        size = " x ".join(map(str, self.a_tm.shape[:3])) + " samples"
        return Card("SampledField", (("size", size), ("unit", "A in T m per ampere")))


Source = Dipoles | Segments | SampledField


@dataclass(frozen=True, eq=False, repr=False)
class Coil(Carded):
    """A TMS coil: field sources per ampere, and what is needed to place and to draw it.

    Parameters
    ----------
    name : str
    sources : tuple of Dipoles, Segments or SampledField
        Their fields add.
    windings : tuple of (p, 3) array_like
        Center lines of the wire in mm, for drawing.
    casing_mm : float
        Distance between the windings' head-side face and the casing's head-side face.
    casing_points_mm : (c, 3) array_like, optional
        Points that cover the head-side surface of the casing; tested against the head. By default samples of
        `casing`, else the sources themselves; none for a sampled field, whose shape is not known.
    casing : Casing, optional
        The casing as a surface, where its shape is known: tested against the head exactly.
    citation : str
        Where the geometry comes from.
    assumptions : tuple of str
        What the source does not give and was assumed.
    max_didt : float, optional
        dI/dt at the pulse's start in A/s at 100 % of the maximum stimulator output.
    aliases : tuple of str
    uncertainty : str
        What is known of the error of its field, against models that were measured.

    Raises
    ------
    InputError
        If there is no source, a value has the wrong type, shape or sign, or the sources' places look like meters.

    Examples
    --------
    >>> ring = np.deg2rad(np.arange(0, 360, 10))
    >>> corners = 40 * np.column_stack([np.cos(ring), np.sin(ring), 0 * ring - 0.25])
    >>> loop = ef.Coil.from_segments(corners, np.roll(corners, -1, axis=0), turns=10, name="loop")
    >>> loop.counts
    {'Segments': 36}
    """

    name: str
    sources: tuple[Source, ...]
    windings: tuple[FloatArray, ...] = ()
    casing_mm: float = 0.0
    casing_points_mm: FloatArray | None = None
    citation: str = ""
    assumptions: tuple[str, ...] = ()
    max_didt: float | None = None
    aliases: tuple[str, ...] = ()
    casing: Casing | None = None
    uncertainty: str = ""

    def __post_init__(self) -> None:
        sources = tuple(self.sources)
        if not sources or not all(isinstance(s, Dipoles | Segments | SampledField) for s in sources):
            raise InputError("sources must be one or more of Dipoles, Segments, SampledField")
        for source in sources:
            checks.points_mm("the sources' places", source.extent_mm)
        windings = tuple(checks.owned(checks.vectors("winding", w, minimum=2)) for w in self.windings)
        object.__setattr__(self, "sources", sources)
        object.__setattr__(self, "windings", windings)
        object.__setattr__(self, "casing_mm", checks.in_range("casing_mm", self.casing_mm, 0, 100))
        if self.max_didt is not None:
            object.__setattr__(self, "max_didt", checks.positive("max_didt", self.max_didt))
        given = self.casing_points_mm
        if given is None:
            given = self.casing.samples_mm() if self.casing else np.concatenate([s.extent_mm for s in sources])
        _freeze(self, casing_points_mm=checks.vectors("casing_points_mm", given))

    @classmethod
    def from_dipoles(cls, points_mm: ArrayLike, moments_am2: ArrayLike, *, name: str = "dipoles") -> Self:
        """A coil made of magnetic dipoles.

        Parameters
        ----------
        points_mm : (k, 3) array_like
            Positions in the coil frame.
        moments_am2 : (k, 3) array_like
            Moments in A m^2 per ampere of coil current.
        name : str

        Raises
        ------
        InputError
            If the arrays are not finite (k, 3) arrays of the same length.
        """
        return cls(name=name, sources=(Dipoles(np.asarray(points_mm), np.asarray(moments_am2)),))

    @classmethod
    def from_segments(
        cls, starts_mm: ArrayLike, ends_mm: ArrayLike, turns: ArrayLike = 1, *, name: str = "segments"
    ) -> Self:
        """A coil made of straight wire segments.

        Parameters
        ----------
        starts_mm, ends_mm : (k, 3) array_like
            Ends in the coil frame. The segments should form closed loops: an open wire has no divergence-free
            vector potential.
        turns : float or (k,) array_like
            Ampere-turns per ampere of coil current.
        name : str

        Raises
        ------
        InputError
            If the arrays are not finite (k, 3) arrays of the same length, or a segment has no length.
        """
        return cls(name=name, sources=(Segments(np.asarray(starts_mm), np.asarray(ends_mm), np.asarray(turns)),))

    def with_casing(self, casing: Casing) -> Self:
        """This coil in a casing of known shape."""
        return replace(self, casing=casing, casing_points_mm=None)

    @property
    def has_known_shape(self) -> bool:
        """Whether there are casing points; a sampled field has none unless they are given."""
        return self.casing_points_mm is not None and len(self.casing_points_mm) > 0

    @property
    def shape_from(self) -> str:
        """What stands for the casing: ``casing`` (a surface), ``points`` (given), ``sources``, or ``nothing``."""
        if self.casing is not None:
            return "casing"
        if not self.has_known_shape:
            return "nothing"
        spanned = np.concatenate([source.extent_mm for source in self.sources])
        return "sources" if np.array_equal(spanned, np.asarray(self.casing_points_mm)) else "points"

    def to_pyvista(self, pose: Pose | None = None) -> Any:
        """The coil for PyVista, in mm.

        Parameters
        ----------
        pose : Pose, optional
            Where it is held; in its own frame unless given.

        Returns
        -------
        pyvista.PolyData
            The windings as lines, and the casing's triangles if its surface is known; the points that stand for it
            where there is neither. The cell array ``part`` is 0 for windings (or points) and 1 for the casing.
        """
        import pyvista

        parts, lines, faces = list(self.windings), list[int](), list[int]()
        first = 0
        for winding in self.windings:
            lines += [len(winding), *range(first, first + len(winding))]
            first += len(winding)
        if self.casing is not None:
            faces = np.insert(self.casing.triangles + first, 0, 3, axis=1).ravel().tolist()
            parts.append(self.casing.points_mm)
        points = np.concatenate(parts) if parts else np.asarray(self.casing_points_mm)
        points = points if pose is None else pose.to_head(points)
        shape = pyvista.PolyData(points, lines=lines or None, faces=faces or None)
        shape.cell_data["part"] = np.arange(shape.n_cells) >= shape.n_cells - len(faces) // 4
        return shape

    @property
    def counts(self) -> dict[str, int]:
        """How many sources there are of each kind."""
        counts: dict[str, int] = {}
        for source in self.sources:
            kind = type(source).__name__
            counts[kind] = counts.get(kind, 0) + len(source)
        return counts

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def _card(self) -> Card:
        spans = np.concatenate([*self.windings, *(source.extent_mm for source in self.sources)])
        drive = "unknown" if self.max_didt is None else rate(self.max_didt)
        rows = (
            ("sources", ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items())),
            ("extent", extent(spans)),
            ("max dI/dt", drive),
            ("casing", f"{self.casing_mm:g} mm between wire and head, from {self.shape_from}"),
            ("source", self.citation),
        )
        return Card(f"Coil {self.name}", rows)


def given_coil(value: object) -> Coil:
    """The coil, or an error that names the call that makes one."""
    if not isinstance(value, Coil):
        raise InputError(
            f"coil must be a Coil, such as load_coil('magstim-70mm-figure8'); instead received {checks.kind(value)}"
        )
    return value
