"""`pulses`: what was done. The field of every recorded pulse, how the coil drifted, and what the field explains."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.model import Coil
from efield.delivered.fields import UNIT_DIDT, pulse_fields
from efield.delivered.intensity import Drives, drives, pulses_of
from efield.delivered.localize import Localization
from efield.delivered.sums import summed
from efield.ground import checks
from efield.ground.card import Card, Carded, counted, listed, place
from efield.ground.errors import CollisionError, InputError
from efield.ground.pose import Pose, apart
from efield.ground.progress import Progress, told
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.vtu import write_mesh
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.raw import COLUMNS
from efield.io.poses.reading import opened_one, opened_table
from efield.sweeping.engines import provenance
from efield.targeting.field import paint, write_on_grid
from efield.targeting.given import simulator
from efield.targeting.held import check_held
from efield.targeting.measures import MEASURES, scaled
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import pandas
    import xarray

FloatArray = NDArray[np.float64]

#: A response is looked for within this distance of the target (mm).
REACH_MM: Final = 40.0

#: How far each pulse was from the reference: names, units and meanings.
DRIFT: Final[dict[str, tuple[str, str]]] = {
    "off_mm": ("mm", "coil's center from the reference's"),
    "off_deg": ("deg", "turn of the coil from the reference"),
    "off_percent": ("%", "change of mean |E| in the target from the reference, at the same dI/dt"),
}

#: The maps: units and meanings.
MAPS: Final[dict[str, tuple[str, str]]] = {
    "mean": ("V/m", "mean |E| of all pulses"),
    "cumulative": ("V/m", "|E| of all pulses added up"),
    "r2": ("1", "share of the responses' variance that |E| explains there, by a sigmoid"),
    "r2_line": ("1", "share of the responses' variance that |E| explains there, by a straight line"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Pulses(Carded):
    """What a recording did to one head; made by `pulses`.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil
    target : Target
    recording : PoseTable
        The pulses.
    table : xarray.Dataset
        Over ``pulse``: measures at the target at the recorded intensity, ``didt``, what the file knows (``time_s``,
        ``intensity_percent``, ``mep_uv``), drift (`DRIFT`), and the poses.
    nodes : (g,) int
        Nodes of the head in gray matter.
    maps : dict of str to (g,) ndarray
        Of `MAPS`; nan where nothing was looked for.
    localization : Localization or None
        None without responses.
    reference : str
        What drift is from.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> pose = ef.place_coil(head, "C3", coil=coil)
    >>> done = ef.pulses(sim, coil, ef.PoseTable([pose, pose]), "C3", didt=60e6)
    >>> bool(np.allclose(done.maps["cumulative"], 2 * done.maps["mean"]))
    True
    """

    head: HeadMesh
    coil: Coil
    target: Target
    recording: PoseTable
    table: "xarray.Dataset"
    nodes: NDArray[np.intp]
    maps: dict[str, FloatArray]
    localization: Localization | None
    reference: str

    def __len__(self) -> int:
        return len(self.recording)

    def to_dataframe(self) -> "pandas.DataFrame":
        """A row for each pulse; poses as `PoseTable.to_dataframe` has them."""
        numbers = self.table.drop_vars("pose").to_dataframe()
        where = self.recording.to_dataframe().drop(columns=["name", "group", *self.recording.columns, "turned_deg"])
        return numbers.join(where)

    def at_nodes(self, name: str) -> FloatArray:
        """(n,) a map at all nodes of the head, nan outside gray matter."""
        values = np.full(len(self.head.points), np.nan)
        values[self.nodes] = self.maps[checks.choice("map", name, self.maps)]
        return values

    def save(self, path: str | PathLike[str]) -> None:
        """Write the gray matter with all maps at its nodes.

        Parameters
        ----------
        path : path_like
            ``.vtu``.
        """
        head = self.head
        gray = head.tissue == GRAY_MATTER
        mesh = MeshData(
            points=head.points[self.nodes],
            tets=np.searchsorted(self.nodes, head.tets[gray]).astype(np.int32),
            tissue=head.tissue[gray],
            node_data={name: values.astype(np.float32) for name, values in self.maps.items()},
        )
        write_mesh(path, mesh)

    def to_nifti(self, path: str | PathLike[str], name: str = "mean", like: str | PathLike[str] | None = None) -> None:
        """Write a map on a voxel grid, nan outside gray matter; `like` as in `EField.to_nifti`."""
        vectors = np.zeros((len(self.head.points), 3))
        vectors[:, 0] = self.at_nodes(name)

        def painted(shape: tuple[int, int, int], affine: FloatArray) -> NDArray[np.float32]:
            volume = np.full(shape, np.nan, np.float32)
            paint(self.head, GRAY_MATTER, vectors, volume, affine)
            return volume

        write_on_grid(path, self.head, painted, like)

    def _card(self) -> Card:
        table, found = self.table, self.localization
        size = table["mean_magnitude"].values
        rows = (
            ("size", counted(len(self), "pulse")),
            ("coil", self.coil.name),
            ("dI/dt", table.attrs["intensity"]),
            ("mean |E|", f"{size.mean():.3g} V/m at {self.target.name}, {size.min():.3g} to {size.max():.3g}"),
            ("drift", f"up to {table['off_mm'].max():.1f} mm, {table['off_deg'].max():.1f} deg from {self.reference}"),
            (
                "responses",
                "" if found is None else f"R2 {found.sigmoid.largest:.2f} at {place(found.sigmoid.place_mm)}",
            ),
        )
        return Card("Pulses", rows)


def pulses(
    sim: Simulator,
    coil: CoilLike,
    recording: PoseTable | Iterable[Pose] | str | PathLike[str],
    target: Place,
    *,
    didt: float | None = None,
    stimulator: str | None = None,
    current: str = "normal",
    mep_uv: ArrayLike | None = None,
    plan: Pose | str | PathLike[str] | None = None,
    reach_mm: float = REACH_MM,
    tol: float = 1e-3,
    allow_collision: bool = False,
    progress: Progress = None,
) -> Pulses:
    """What was done: the field of every recorded pulse at its intensity, drift, and where responses come from.

    Parameters
    ----------
    sim : Simulator
    coil : Coil, or its name or file
    recording : PoseTable, a file as `read_poses` takes it, or an iterable of Pose (with `didt`)
        Poses at which there was no pulse are passed over, unless it says nothing of pulses.
    target : Target, str or (3,) array_like
    didt : float, A/s, optional
        Of every pulse, instead of what was recorded.
    stimulator : str, optional
        Whose percentages were recorded (`list_stimulators`); the recorded dI/dt is then passed over.
    current : {"normal", "reverse"}
    mep_uv : (n,) array_like, optional
        Amplitudes of the responses in microvolts, one for each pulse and nan where there is none, instead of those of
        the file.
    plan : Pose, or a file of one, optional
        What drift is from; the first pulse unless given.
    reach_mm : float
        A response is looked for in gray matter within this distance of the target.
    tol : float
        Error of E that is small enough, relative, in gray matter; pulses are then sums of a few solved ones. 0 solves
        every pulse.
    allow_collision : bool
        As in `Simulator.solve`.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of solves.

    Returns
    -------
    Pulses

    Raises
    ------
    InputError
        If there is no pulse, an intensity is not known, or responses cannot be regressed.
    CollisionError
        If nobody holds a coil at one of the poses; the message counts and names them.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> poses = [ef.place_coil(head, "C3", angle, coil=coil) for angle in (45, 50)]
    >>> done = ef.pulses(sim, coil, ef.PoseTable(poses, columns={"didt": [60e6, 80e6]}), "C3")
    >>> done.table["off_deg"].values.round()
    array([0., 5.])
    """
    coil, aim = the_coil(coil), target_of(simulator(sim).head, target)
    checks.in_range("tol", tol, 0.0, 0.1)
    checks.in_range("reach_mm", reach_mm, 1.0, 300.0)
    table = _with_responses(pulses_of(opened_table(recording)), mep_uv)
    driven = drives(table, coil, didt=didt, stimulator=stimulator, current=current)
    reference = table[0] if plan is None else opened_one(plan)
    poses = [*table, reference]
    if not checks.flag("allow_collision", allow_collision):
        _check_held(sim.head, coil, table, plan, aim)
    with told(progress, "solving pulses", "solves") as tell:
        fields = pulse_fields(sim, coil, poses, aim, tol, tell)
    sums = summed(fields, sim.head, aim, table, driven.didt, reach_mm)
    words = f"the first pulse, {table.names[0]}" if plan is None else "the plan"
    notes = provenance(sim, coil, aim, placements=len(table)) | {
        "intensity": driven.words,
        "reference": words,
        "solves": len(fields.kept),
        "largest_error": fields.error,
    }
    dataset = _dataset(table, driven, sums.measures, _drift(table, reference, sums.measures), notes)
    nodes = fields.places.nodes
    return Pulses(sim.head, coil, aim, table, dataset, nodes, sums.maps, sums.localization, words)


def _with_responses(table: PoseTable, mep_uv: ArrayLike | None) -> PoseTable:
    if mep_uv is None:
        return table
    values = np.asarray(mep_uv, dtype=np.float64)
    if values.shape != (len(table),):
        raise InputError(
            f"mep_uv must have one amplitude for each of {len(table)} pulses; instead shape {values.shape}"
        )
    return replace(table, columns={**table.columns, "mep_uv": values})


def _check_held(head: HeadMesh, coil: Coil, table: PoseTable, plan: object, target: Target) -> None:
    """Refuse a recording with pulses at which nobody holds a coil, and a plan that misses its target.

    Raises
    ------
    CollisionError
        With how many there are, and what is wrong with the first.
    """
    faults = []
    for name, pose in zip(table.names, table, strict=True):
        try:
            check_held(head, coil, pose)
        except CollisionError as error:
            faults.append((name, str(error)))
    if faults:
        names = listed((name for name, _ in faults), 4)
        raise CollisionError(f"{counted(len(faults), 'pulse')} of {len(table)} ({names}), the first: {faults[0][1]}")
    if plan is not None:
        try:
            check_held(head, coil, opened_one(plan), target.center_mm)
        except CollisionError as error:
            raise CollisionError(f"the plan: {error}") from None


def _drift(table: PoseTable, reference: Pose, measures: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """`DRIFT` of each pulse, from measures at 1 A/us whose last is the reference's."""
    size = measures["mean_magnitude"]
    return dict(zip(DRIFT, (*apart(table.matrices, reference), 100.0 * (size[:-1] / size[-1] - 1.0)), strict=True))


def _dataset(
    table: PoseTable,
    driven: Drives,
    measures: dict[str, FloatArray],
    drift: dict[str, FloatArray],
    notes: dict[str, Any],
) -> "xarray.Dataset":
    import xarray

    known = {name: values for name, values in table.columns.items() if name != "didt"} | {"didt": driven.didt}
    found: dict[str, Any] = {name: ("pulse", values, _notes(COLUMNS[name])) for name, values in known.items()}
    at_unit = {name: values[:-1] for name, values in measures.items()}
    for name, values in scaled(at_unit, driven.didt / UNIT_DIDT).items():
        found[name] = ("pulse", values, MEASURES[name].notes)
    found |= {name: ("pulse", values, _notes(DRIFT[name])) for name, values in drift.items()}
    found["pose"] = (("pulse", "row", "column"), table.matrices, _notes(("mm", "pose, coil to head")))
    names = {"name": ("pulse", list(table.names)), "group": ("pulse", list(table.groups))}
    return xarray.Dataset(found, names, notes | {"began": table.began})


def _notes(meaning: tuple[str, str]) -> dict[str, str]:
    return {"units": meaning[0], "long_name": meaning[1]}
