"""A study: which heads, coils, targets and placements are crossed, with which engine, and what is kept.

A cell is one head with one target and one coil. Its placements are cut into chunks; a chunk is the unit of work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils import stimulators
from efield.coils.model import Coil
from efield.coils.polarity import signed
from efield.delivered.intensity import drives
from efield.ground.card import Card, Carded, counted, listed
from efield.ground.errors import InputError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.registration import register_to_mni
from efield.io.choice import split_choice
from efield.io.load import COIL_CHOICES, HEAD_NAMES, load_coil, load_head
from efield.io.poses.pose_table import PoseTable
from efield.sweeping.grid import PlacementGrid
from efield.targeting.electrodes import CAP_CHOICES
from efield.targeting.region_files import REGION_FILES
from efield.targeting.targets import Target, named_target

KINDS: Final = ("full", "reciprocal", "reduced")

#: Where a study may be computed.
STUDY_DEVICES: Final = ("cpu", "cuda")

#: Placements of a chunk unless the study says otherwise: half a minute of work on a head of 300,000 nodes.
CHUNK_OF: Final = {"full": 64, "reciprocal": 8192, "reduced": 4096}


@dataclass(frozen=True)
class HeadEntry:
    """A head of a study: `source` is a name or a file; `conductivity` replaces values of the default table."""

    label: str
    source: str
    register: bool = False
    conductivity: tuple[tuple[int, float], ...] = ()

    def load(self, base: Path) -> HeadMesh:
        """The head; relative files are looked up from `base`."""
        head = load_head(located(self.source, base) if self.source not in HEAD_NAMES else self.source)
        if not self.register:
            return head
        return register_to_mni(head)

    def conductivities(self) -> Conductivity:
        """The default table with this head's values."""
        return Conductivity().with_values(dict(self.conductivity))


def head_loader(base: Path) -> Callable[[HeadEntry], HeadMesh]:
    """What loads the heads of a study: entries that differ in conductivities and follow each other share one."""

    @lru_cache(maxsize=1)
    def loaded(source: str, register: bool) -> HeadMesh:
        return HeadEntry("", source, register).load(base)

    return lambda entry: loaded(entry.source, entry.register)


@dataclass(frozen=True)
class CoilEntry:
    """A coil of a study: `source` is a name of the catalog or a file."""

    label: str
    source: str

    def load(self, base: Path) -> Coil:
        """The coil; relative files are looked up from `base`."""
        return load_coil(located(self.source, base) if (base / self.file(base)).is_file() else self.source)

    def file(self, base: Path) -> str:
        """The source without the choices behind it."""
        return split_choice(self.source, COIL_CHOICES, base)[0]


@dataclass(frozen=True)
class TargetEntry:
    """A target of a study: `text` is what the command line takes (`named_target`); or else a sphere is given."""

    label: str
    text: str | None = None
    center_mm: tuple[float, ...] | None = None
    radius_mm: float | None = None
    direction: tuple[float, ...] | None = None

    def on(self, head: HeadMesh, base: Path) -> Target:
        """The target on a head; relative files are looked up from `base`."""
        if self.text is not None:
            found = named_target(head, target_text(self.text, base))
            if self.radius_mm is None:
                return replace(found, name=self.label)
            if found.region is not None:
                raise InputError(f"radius_mm must be left out where the target is a region of a file, {self.text}")
            return replace(found, name=self.label, radius_mm=self.radius_mm)
        assert self.center_mm is not None  # noqa: S101 - a target has a name or a center
        radius = 10.0 if self.radius_mm is None else self.radius_mm
        return Target.sphere(center_mm=self.center_mm, radius_mm=radius, direction=self.direction, name=self.label)

    @property
    def directed(self) -> bool:
        """Whether the target has a preferred direction, on any head."""
        return self.text is not None or self.direction is not None


@dataclass(frozen=True)
class DriveChoice:
    """How hard the coils are driven: `values` are dI/dt in A/s, or percent of a stimulator's maximum output.

    `current` is "normal" or "reverse"; grids are laid by the induced current, so that "reverse" turns the handles.
    With `recorded`, which tells recordings apart, the values are multiples of the intensity that each pose has in its
    file, and `stimulator` is the one whose percentages it holds.
    """

    values: tuple[float, ...] = (1e6,)
    percent: bool = False
    stimulator: str | None = None
    current: str = "normal"
    recorded: str = ""

    @property
    def dimension(self) -> str:
        """Name of the dimension of the drives."""
        if self.recorded:
            return "recorded"
        return "intensity_percent" if self.percent else "didt"

    def didt(self, coil: Coil) -> NDArray[np.float64]:
        """(k,) dI/dt in A/s for one coil, with the sign of the current.

        Raises
        ------
        InputError
            If the coil's dI/dt at 100 % is not known.
        """
        return np.array([signed(rate, self.current) for rate in self._rates(coil)])

    def _rates(self, coil: Coil) -> list[float]:
        if not self.percent:
            return list(self.values)
        if self.stimulator is not None:
            return [stimulators.didt(self.stimulator, coil, value) for value in self.values]
        if coil.max_didt is None:
            raise InputError(
                f"the largest dI/dt of {coil.name} is not known: give drive.stimulator as well, or drive.didt"
            )
        return [coil.max_didt * value / 100.0 for value in self.values]


@dataclass(frozen=True)
class EngineChoice:
    """How placements are answered.

    Parameters
    ----------
    kind : {"full", "reciprocal", "reduced"}
        A solve of each; adjoint solves per target; a reduced basis per cell.
    tol : float
        Of the linear solver.
    order : {1, 2}
        Of the finite elements.
    exact : bool
        See `efield.sweeping.engines.measure`.
    basis : str or None
        Folder of a basis that exists, or of one subfolder per cell (`Cell.name`).
    basis_tol, max_solves, region_radius_mm, seed
        As in `ReducedBasis.build`.
    radius_mm, tilt_deg, distance_mm
        As in `ReducedBasis.build`; from the grid unless given.
    device : {"cpu", "cuda"}
        Where the equations are solved. Never "auto": all chunks of a study are computed alike, wherever they are.
    """

    kind: str = "full"
    tol: float = 1e-8
    order: int = 1
    exact: bool = False
    basis: str | None = None
    basis_tol: float = 1e-3
    max_solves: int = 512
    region_radius_mm: float = 35.0
    seed: int = 0
    radius_mm: float | None = None
    tilt_deg: float | None = None
    distance_mm: tuple[float, ...] | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Cell:
    """One head with one target and one coil, by number."""

    head: int
    target: int
    coil: int


@dataclass(frozen=True)
class Chunk:
    """Placements `first` to ``first + count`` of a cell: always computed as a whole.

    Parameters
    ----------
    cell : Cell
    number : int
        Which chunk of the cell.
    first, count : int
    """

    cell: Cell
    number: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """What the chunk's marker is called."""
        return f"{self.cell.head}-{self.cell.target}-{self.cell.coil}-{self.number:06d}"


@dataclass(frozen=True, eq=False, repr=False)
class Study(Carded):
    """A checked plan; made by `efield.campaign.plan.read_study`.

    Parameters
    ----------
    document : dict
        The study as it was read: plain values, from which it can be made again elsewhere.
    base : Path
        Folder that relative files are looked up from.
    heads, coils, targets : tuple of entries
    grid : PlacementGrid or None
    poses : (p, 4, 4) float or None
        Exactly one of the two is given.
    drive : DriveChoice
    engine : EngineChoice
    measures : tuple of str
        Measures that are kept, in the engine's order.
    fields : bool
        Whether E on the target's tetrahedra is kept.
    chunk : int
        Placements of a chunk.
    output : str
        Folder of the results.
    recording : PoseTable, optional
        Of the poses, where each has the intensity that it was recorded with.
    """

    document: dict[str, Any]
    base: Path
    heads: tuple[HeadEntry, ...]
    coils: tuple[CoilEntry, ...]
    targets: tuple[TargetEntry, ...]
    grid: PlacementGrid | None
    poses: NDArray[np.float64] | None
    drive: DriveChoice
    engine: EngineChoice
    measures: tuple[str, ...]
    fields: bool
    chunk: int
    output: str
    recording: PoseTable | None = None

    def rates(self, coil: Coil) -> NDArray[np.float64]:
        """dI/dt in A/s of one coil: (k,) of the drives, or (k, p) of them at each recorded pulse.

        Raises
        ------
        InputError
            As `DriveChoice.didt` and `efield.delivered.intensity.drives`.
        """
        if self.recording is None:
            return self.drive.didt(coil)
        own = drives(self.recording, coil, stimulator=self.drive.stimulator, current=self.drive.current)
        return np.asarray(np.multiply.outer(np.array(self.drive.values), own.didt))

    @property
    def count(self) -> int:
        """Placements of a cell."""
        if self.grid is not None:
            return self.grid.count
        return 0 if self.poses is None else len(self.poses)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, head by head."""
        sizes = len(self.heads), len(self.targets), len(self.coils)
        return tuple(Cell(*map(int, index)) for index in np.ndindex(*sizes))

    @property
    def chunks_per_cell(self) -> int:
        """How many chunks a cell has."""
        return -(-self.count // self.chunk)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, cell by cell."""
        for cell in self.cells:
            for number in range(self.chunks_per_cell):
                first = number * self.chunk
                yield Chunk(cell, number, first, min(self.chunk, self.count - first))

    def cell_name(self, cell: Cell) -> str:
        """Labels of a cell, such as ``mni152.hand.d70``."""
        return ".".join((self.heads[cell.head].label, self.targets[cell.target].label, self.coils[cell.coil].label))

    def _card(self) -> Card:
        sizes = (("head", self.heads), ("target", self.targets), ("coil", self.coils))
        rows = (
            ("cells", " x ".join(counted(len(entries), one) for one, entries in sizes)),
            ("placements", f"{self.count:,} in each cell"),
            ("engine", self.engine.kind),
            ("measures", listed(self.measures)),
            ("output", self.output),
        )
        return Card("Study", rows)


def located(source: str, base: Path) -> str:
    """A file named in a study: relative ones are meant from the study's folder."""
    return str(base / source)


def target_text(text: str, base: Path) -> str:
    """A target named in a study, with the file of ``cap.csv:C3`` or ``mask.nii.gz:3`` as `located`."""
    file, choice = split_choice(text, (*CAP_CHOICES, *REGION_FILES), base)
    in_file = choice is not None or file.lower().endswith(REGION_FILES)
    return located(text, base) if in_file else text
