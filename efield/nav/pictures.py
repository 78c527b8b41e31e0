"""The size of the field around the target as pictures: on a grid of voxels, and on the cortex."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import EfieldError, InputError
from efield.ground.pose import Pose
from efield.ground.rigid import put_right
from efield.head.locate import Locator
from efield.head.midsurface import mid_surface
from efield.head.surface import TriangleSurface, cortex
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.nav import openigtlink as igtl
from efield.nav.engine import Answer, LiveEngine
from efield.nav.hub import Hub

FloatArray = NDArray[np.float64]

#: With full solves pictures reach this far from the target (mm).
_REACH_MM: Final = 35.0

#: Larger images took longer than a message may in clients that were tried (bytes).
_MOST_BYTES: Final = 7_000_000

KINDS: Final = ("IMAGE", "POLYDATA")


@dataclass(frozen=True, eq=False)
class Places:
    """Where the field of a picture is taken.

    Parameters
    ----------
    rows : (r,) int
        Rows of a basis's outputs, or nodes or tetrahedra of the head.
    groups : (p, c) int
        The entries of `rows` whose mean is the field at each place.
    """

    rows: NDArray[np.intp]
    groups: NDArray[np.intp]

    def magnitude(self, e: NDArray[np.floating]) -> NDArray[np.float32]:
        """(p,) |E| at the places of E (r, 3) at the rows."""
        return np.asarray(np.linalg.norm(e[self.groups].mean(axis=1), axis=1), np.float32)


class Shapes:
    """Geometry of both pictures for one engine, each made when it is first drawn; for the engine's thread.

    Parameters
    ----------
    engine : LiveEngine
    spacing_mm : float
        Of the grid; larger where the image would be too large for a message.
    note : callable, optional
        Told so.
    """

    def __init__(
        self, engine: LiveEngine, spacing_mm: float = 2.0, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self.engine, self.spacing_mm = engine, checks.in_range("spacing_mm", spacing_mm, 0.2, 20.0)
        self._note = note
        self._image: tuple[tuple[int, int, int], FloatArray, NDArray[np.intp], Places] | None = None
        self._cortex: tuple[TriangleSurface, Places] | None = None

    def check(self, kind: str) -> None:
        """Refuse pictures that cannot be drawn.

        Raises
        ------
        InputError
            If the basis has no tetrahedra and an image is asked for.
        """
        basis = self.engine.basis
        if kind == "IMAGE" and basis is not None and basis.outputs.at == "surface":
            raise InputError(
                "an IMAGE needs a basis of tetrahedra; this one is on the middle of the cortex: ask for POLYDATA"
            )

    def content(self, kind: str, pose: Pose) -> bytes:
        """Content of an IMAGE or POLYDATA of the field at a pose."""
        self.check(kind)
        return self.image(pose) if kind == "IMAGE" else self.polydata(pose)

    def image(self, pose: Pose) -> bytes:
        """Content of an IMAGE of recovered |E| in V/m, zero outside the region."""
        if self._image is None:
            self._image = self._grid()
        shape, affine, voxels, places = self._image
        values = np.zeros(shape, np.float32)
        e = self._reduced(pose, places)
        values.reshape(-1)[voxels] = places.magnitude(self.engine.solved(pose).in_tets(places.rows) if e is None else e)
        return igtl.image_content(values, affine)

    def polydata(self, pose: Pose) -> bytes:
        """Content of a POLYDATA of the cortex with recovered |E| in V/m at its vertices, named ``magnE``."""
        surface, values = self.on_cortex(pose)
        return igtl.polydata_content(surface.points_mm, surface.triangles, {"magnE": values})

    def on_cortex(self, pose: Pose) -> tuple[TriangleSurface, NDArray[np.float32]]:
        """The cortex near the target, and recovered |E| (p,) in V/m at its vertices."""
        if self._cortex is None:
            self._cortex = self._near_cortex()
        surface, places = self._cortex
        engine = self.engine
        e = self._reduced(pose, places)
        if e is None:
            e = engine.solved(pose).recovered.on_nodes(places.rows, GRAY_MATTER)
        return surface, places.magnitude(e)

    def _reduced(self, pose: Pose, places: Places) -> NDArray[np.floating] | None:
        """E (r, 3) at rows of the basis, if there is one."""
        engine = self.engine
        if engine.basis is None:
            return None
        outside = "solve" if engine.outside == "solve" else "raise"
        return engine.basis.on_rows(pose, places.rows, engine.didt, coil=engine.coil, outside=outside)

    def _near_cortex(self) -> tuple[TriangleSurface, Places]:
        engine, head = self.engine, self.engine.sim.head
        if engine.basis is not None and engine.basis.outputs.at == "surface":
            whole = mid_surface(head)
            return _part(
                whole, engine.basis.outputs.numbers, np.arange(len(engine.basis.outputs.numbers), dtype=np.intp)
            )
        surface = cortex(head)
        if engine.basis is None:
            near = np.flatnonzero(np.linalg.norm(surface.points_mm - engine.target.center_mm, axis=1) <= _REACH_MM)
            return _part(surface, near, surface.nodes[near].astype(np.intp))
        outputs = engine.basis.outputs
        pairs = np.flatnonzero(outputs.tags == GRAY_MATTER)
        _, here, there = np.intersect1d(surface.nodes, outputs.nodes[pairs], return_indices=True)
        return _part(surface, here, len(outputs.numbers) + pairs[there])

    def _grid(self) -> tuple[tuple[int, int, int], FloatArray, NDArray[np.intp], Places]:
        """Shape, affine, the voxels that have a field, and their places."""
        head, numbers, corners = self.engine.sim.head, *self._region()
        nodes = head.points[np.unique(head.tets[numbers])]
        low, high = nodes.min(axis=0), nodes.max(axis=0)
        wanted, shape = self.spacing_mm, _voxels(high - low, self.spacing_mm)
        while 4 * np.prod(shape) > _MOST_BYTES:
            self.spacing_mm = round(self.spacing_mm + 0.1, 1)
            shape = _voxels(high - low, self.spacing_mm)
        if self.spacing_mm > wanted:
            self._note(
                f"voxels of images are {self.spacing_mm:g} mm wide instead of {wanted:g}, so that a message has at "
                f"most {_MOST_BYTES / 1e6:g} MB"
            )
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = low
        centers = np.indices(shape).reshape(3, -1).T * self.spacing_mm + low
        tet, _ = Locator(head).find(centers)
        order = np.clip(np.searchsorted(numbers, tet), 0, len(numbers) - 1)
        voxels = np.flatnonzero(numbers[order] == tet)
        rows, groups = np.unique(corners[order[voxels]], return_inverse=True)
        return shape, affine, voxels, Places(rows, groups.reshape(len(voxels), -1))

    def _region(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Tetrahedra that have a field, ascending, and the rows whose mean it is in each of them."""
        basis, head = self.engine.basis, self.engine.sim.head
        if basis is not None:
            return basis.outputs.numbers, basis.outputs.corners
        brain = np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER))
        near = np.linalg.norm(head.barycenters - self.engine.target.center_mm, axis=1) <= _REACH_MM
        numbers = np.flatnonzero(brain & near)
        return numbers, numbers[:, None]


def _voxels(extent_mm: FloatArray, spacing_mm: float) -> tuple[int, int, int]:
    size = np.ceil(extent_mm / spacing_mm).astype(int) + 1
    return int(size[0]), int(size[1]), int(size[2])


def _part(whole: TriangleSurface, chosen: NDArray[np.intp], rows: NDArray[np.intp]) -> tuple[TriangleSurface, Places]:
    """The triangles among some vertices, and the row of each of these."""
    number = np.full(len(whole.points_mm), -1)
    number[chosen] = np.arange(len(chosen))
    triangles = number[whole.triangles]
    triangles = triangles[(triangles >= 0).all(axis=1)]
    if not len(triangles):
        raise InputError("there must be cortex near the target to be drawn; instead there is none")
    surface = TriangleSurface(whole.points_mm[chosen], triangles.astype(np.int32))
    return surface, Places(np.asarray(rows, np.intp), np.arange(len(chosen))[:, None])


class Pictures:
    """Draws pictures in the engine's thread; of each kind one at a time, and the latest that was asked for.

    Parameters
    ----------
    hub : Hub
    spacing_mm : float
        Of the grid of images.
    """

    def __init__(self, hub: Hub, spacing_mm: float = 2.0) -> None:
        self.hub, self.shapes = hub, Shapes(hub.engine, spacing_mm, hub.note)
        self._next: dict[str, tuple[Answer, Callable[[str, Answer, bytes], None]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def draw(self, kind: str, answer: Answer, then: Callable[[str, Answer, bytes], None]) -> None:
        """Draw the field at a pose that was answered, and call `then` with it in the event loop."""
        self._next[kind] = answer, then
        if kind not in self._tasks:
            task = self._tasks[kind] = asyncio.ensure_future(self._run(kind))
            task.add_done_callback(lambda _: self._tasks.pop(kind))

    async def _run(self, kind: str) -> None:
        while kind in self._next:
            answer, then = self._next.pop(kind)
            pose = Pose(put_right("the pose", answer.pose.matrix)[0])
            try:
                content = await self.hub.compute(self.shapes.content, kind, pose)
            except EfieldError as error:
                self.hub.note(f"no {kind}: {error}")
            else:
                then(kind, answer, content)
