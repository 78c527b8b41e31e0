"""What a SimNIBS ``.tcd`` file says about a coil, and the `Coil` it becomes at given settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from efield.coils.casing import Casing as CoilCasing
from efield.coils.casing import joined
from efield.coils.model import Coil, Dipoles, SampledField, Segments, Source
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import counted
from efield.ground.errors import InputError

KINDS: Final = ("x", "y", "z", "rot2p")


@dataclass(frozen=True)
class DeformRange:
    """How far a part may move: start value and limits, in mm or degrees."""

    initial: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.initial <= self.high:
            raise InputError(
                f"a deformation range must hold low <= initial <= high; instead {self.low}, {self.initial}, {self.high}"
            )


@dataclass(frozen=True, eq=False)
class Deformation:
    """A shift along an axis (mm), or a rotation about the line from `point1` to `point2` (degrees)."""

    range_index: int
    kind: str
    point1: FloatArray = field(default_factory=lambda: np.zeros(3))
    point2: FloatArray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        checks.choice("the type of a deformation", self.kind, KINDS)
        if self.kind == "rot2p" and np.allclose(self.point1, self.point2):
            raise InputError("a rotation must have two different points on its axis")

    def matrix(self, value: float) -> FloatArray:
        """(4, 4) motion by `value` mm or degrees."""
        motion = np.eye(4)
        if self.kind != "rot2p":
            motion["xyz".index(self.kind), 3] = value
            return motion
        axis = checks.unit_vector("rotation axis", self.point2 - self.point1)
        motion[:3, :3] = rotation = Rotation.from_rotvec(np.deg2rad(value) * axis).as_matrix()
        motion[:3, 3] = self.point1 - rotation @ self.point1
        return motion


@dataclass(frozen=True, eq=False)
class Casing:
    """A closed surface: (n, 3) points in mm, (k, 3) faces, and (p, 3) points for distance tests."""

    points: FloatArray
    faces: NDArray[np.int64]
    min_distance_points: FloatArray | None = None

    def __post_init__(self) -> None:
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= len(self.points)):
            raise InputError(f"faces must refer to points 0 to {len(self.points) - 1}; instead they do not")


@dataclass(frozen=True, eq=False)
class RecordedWaveform:
    """A recorded pulse: (t,) times in s, measured signal, and fit."""

    name: str
    time: FloatArray
    signal: FloatArray
    fit: FloatArray | None = None


@dataclass(frozen=True)
class TcdStimulator:
    """A stimulator that drives some of the elements; `max_didt` in A/s."""

    name: str
    brand: str = ""
    max_didt: float | None = None
    waveforms: tuple[RecordedWaveform, ...] = ()


@dataclass(frozen=True, eq=False)
class Element:
    """One source with the stimulator that drives it, its casing, and the deformations that move it, in order.

    `dropped` counts the wire segments of the file that have no length, and so no field: they are left out.
    """

    name: str
    source: Source
    stimulator: int | None = None
    casing: int | None = None
    deformations: tuple[int, ...] = ()
    dropped: int = 0


@dataclass(frozen=True, eq=False)
class TcdCoil:
    """A coil file: elements, how they can move, and what drives them; numbers refer to the lists given here.

    Raises
    ------
    InputError
        If there is no element, or a number refers to nothing.
    """

    name: str
    elements: tuple[Element, ...]
    brand: str = ""
    version: str = "1.0"
    stimulators: tuple[TcdStimulator, ...] = ()
    deformations: tuple[Deformation, ...] = ()
    ranges: tuple[DeformRange, ...] = ()
    casings: tuple[Casing, ...] = ()
    casing: int | None = None
    limits: FloatArray | None = None
    resolution: FloatArray | None = None
    self_intersection: tuple[tuple[int, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.elements:
            raise InputError("coilElementList must hold at least one element; instead it is empty")
        numbers = [("coilCasing", self.casing, len(self.casings))]
        numbers += [("deformRange", d.range_index, len(self.ranges)) for d in self.deformations]
        for element in self.elements:
            numbers += [
                ("stimulator", element.stimulator, len(self.stimulators)),
                ("elementCasing", element.casing, len(self.casings)),
                *(("deformations", k, len(self.deformations)) for k in element.deformations),
            ]
        for what, number, count in numbers:
            if number is not None and not 0 <= number < count:
                raise InputError(f"{what} must refer to one of {count} entries, from 0; instead received {number}")

    @property
    def settings(self) -> dict[str, DeformRange]:
        """What can be set, by name: the kind of motion and the number of its range, such as ``rot2p-0``."""
        kinds = {d.range_index: d.kind for d in reversed(self.deformations)}
        return {f"{kinds[k]}-{k}": item for k, item in enumerate(self.ranges) if k in kinds}

    def coil(self, settings: Mapping[str, float] | None = None, *, stimulator: str | int | None = None) -> Coil:
        """The coil at given settings.

        Parameters
        ----------
        settings : mapping of str to float, optional
            Values in mm or degrees by the names in `settings`; what is not named stays at its initial value.
        stimulator : str or int, optional
            Name or number of the stimulator whose elements are wanted; needed where the elements belong to
            more than one, because each has a current of its own.

        Returns
        -------
        Coil
            All elements of that stimulator, moved; the casings of the coil and of all its elements.

        Raises
        ------
        InputError
            For unknown names, values outside their range, or a missing choice of stimulator.
        """
        values = self._values(settings or {})
        chosen = self._stimulator(stimulator)
        motions = {id(element): self._motion(element, values) for element in self.elements}
        driven = [element for element in self.elements if element.stimulator == chosen]
        if not driven:
            raise InputError(f"stimulator {stimulator!r} must drive an element of {self.name}; instead it drives none")
        device = None if chosen is None else self.stimulators[chosen]
        return Coil(
            name=self.name,
            sources=tuple(moved(element.source, motions[id(element)]) for element in driven),
            casing=self._casing(motions),
            max_didt=device.max_didt if device else None,
            assumptions=(*self._where(settings or {}, values), *_dropped(driven)),
        )

    def coils(self, settings: Mapping[str, float] | None = None) -> tuple[Coil, ...]:
        """One coil for each stimulator of the file, in the order of `stimulators`; each is driven on its own.

        Parameters
        ----------
        settings : mapping of str to float, optional
            As in `coil`.
        """
        used = {element.stimulator for element in self.elements}
        numbers = [number for number in range(len(self.stimulators)) if number in used]
        return tuple(self.coil(settings, stimulator=number) for number in numbers) or (self.coil(settings),)

    def _values(self, settings: Mapping[str, float]) -> list[float]:
        values = [item.initial for item in self.ranges]
        for name, value in settings.items():
            if not self.settings:
                raise InputError(
                    f"settings must be left out, as {self.name} does not deform; instead received {name!r}"
                )
            checks.choice("setting", name, self.settings)
            item = self.settings[name]
            values[int(name.rpartition("-")[2])] = checks.in_range(f"setting {name}", value, item.low, item.high)
        return values

    def _where(self, given: Mapping[str, float], values: list[float]) -> tuple[str, ...]:
        """Where each movable part is, how far it may go, and whether anybody said so."""
        return tuple(
            f"setting {name} = {values[int(name.rpartition('-')[2])]:g}{'' if name in given else ' (initial)'}, "
            f"from {item.low:g} to {item.high:g} {'degrees' if name.startswith('rot2p') else 'mm'}"
            for name, item in self.settings.items()
        )

    def _stimulator(self, wanted: str | int | None) -> int | None:
        used = sorted({e.stimulator for e in self.elements}, key=lambda k: -1 if k is None else k)
        if wanted is None:
            if len(used) > 1:
                names = [f"{k} ({self.stimulators[k].name})" for k in used if k is not None]
                raise InputError(
                    f"stimulator must be chosen, as the elements of {self.name} belong to {len(used)}: "
                    f"{', '.join(names)}; each is a coil with a dI/dt of its own"
                )
            return used[0]
        if isinstance(wanted, int):
            return wanted if wanted in used else int(checks.choice("stimulator", str(wanted), map(str, used)))
        names = [item.name for item in self.stimulators]
        if names.count(wanted) > 1:
            raise InputError(f"stimulator must be a number, as {self.name} has several named {wanted!r}: one of {used}")
        return names.index(checks.choice("stimulator", wanted, names))

    def _motion(self, element: Element, values: list[float]) -> FloatArray:
        motion = np.eye(4)
        for number in element.deformations:
            deformation = self.deformations[number]
            motion = deformation.matrix(values[deformation.range_index]) @ motion
        return motion

    def _casing(self, motions: dict[int, FloatArray]) -> CoilCasing | None:
        """The casings of the coil and of all its elements, moved, as one surface."""
        placed = [] if self.casing is None else [(self.casing, np.eye(4))]
        placed += [(e.casing, motions[id(e)]) for e in self.elements if e.casing is not None]
        surfaces = [(self.casings[number], motion) for number, motion in placed]
        return joined([CoilCasing(c.points, c.faces).moved(motion) for c, motion in surfaces if len(c.faces)])


def _dropped(elements: list[Element]) -> tuple[str, ...]:
    """A note on wire segments that are left out."""
    count = sum(element.dropped for element in elements)
    return (f"{counted(count, 'wire segment')} of the file without a length left out",) if count else ()


def moved(source: Source, motion: FloatArray) -> Source:
    """The source after a rigid motion, (4, 4) in mm."""
    rotation, shift = motion[:3, :3], motion[:3, 3]
    if isinstance(source, Dipoles):
        return Dipoles(source.points_mm @ rotation.T + shift, source.moments_am2 @ rotation.T)
    if isinstance(source, Segments):
        starts, ends = (p @ rotation.T + shift for p in (source.starts_mm, source.ends_mm))
        return Segments(starts, ends, source.turns, source.gmd_mm)
    return SampledField(affine=motion @ source.affine, a_tm=source.a_tm @ rotation.T)
