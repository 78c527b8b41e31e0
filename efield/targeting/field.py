"""`EField`: the answer of one simulation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.drive import Drive
from efield.coils.model import Coil
from efield.fem.enrichment import SecondOpinion
from efield.fem.recovery import RecoveredField
from efield.ground import checks
from efield.ground.card import Card, Carded, counted, listed, place, rate
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import Surface, TriangleSurface, boundary
from efield.io.meshes.gmsh import write_mesh
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.vtu import write_vtu
from efield.io.surfaces.gifti import SURFACE_SUFFIX, VALUE_SUFFIXES, write_surface, write_values
from efield.io.volumes.nifti import read_grid, sample_grid, write_scalar_nifti
from efield.kernels.geometry.raster import paint_magnitude
from efield.targeting.held import warn_if_mistaken
from efield.targeting.named import CoilLike
from efield.targeting.naming import Place, target_of
from efield.targeting.summary import Summary, summarize
from efield.targeting.surface_field import SurfaceField, field_on_surface

#: Spacing of the grid of an image that is not asked to be like another.
_VOXEL_MM: Final = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class EField(Carded):
    """The electric field that one coil placement, or several driven together, induce in one head.

    Parameters
    ----------
    head : HeadMesh
    e : (m, 3) float, V/m
        One vector per tetrahedron, as the finite elements give it.
    didt : float
        Rate of change of the coil current, A/s.
    coil : Coil
    pose : Pose
    iterations : int
        Iterations the linear solver took.
    recover : callable
        Makes the recovered (smooth within each tissue) field; called at the first use of it.
    others : tuple of Drive
        Further coils that were driven at the same time; `e` holds the sum.
    consult : callable, optional
        Makes the second opinion on the field that errors are estimated with; called at the first use of it.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> field = sim.solve(coil, ef.place_coil(head, "C3", coil=coil), didt=1e6)
    >>> field.at([(-40, 0, 50), (0, 0, 200)]).shape
    (2, 3)
    >>> bool(np.allclose((80 * field).e, 80 * field.e))
    True
    """

    head: HeadMesh
    e: NDArray[np.float64]
    didt: float
    coil: Coil
    pose: Pose
    iterations: int
    recover: Callable[[], RecoveredField]
    others: tuple[Drive, ...] = ()
    consult: Callable[[], SecondOpinion] | None = None

    def __post_init__(self) -> None:
        # What is recovered and measured does not come from it: a change here would be half a change.
        object.__setattr__(self, "e", checks.read_only(self.e))

    @property
    def drives(self) -> tuple[Drive, ...]:
        """All driven coils, the first one first."""
        return (Drive.at_any_rate(self.coil, self.pose, self.didt), *self.others)

    #: NumPy's numbers leave products to the field: ``np.float64(2) * field`` is a field, too.
    __array_ufunc__ = None

    def __mul__(self, factor: object) -> "EField":
        """The field of the same placement at a multiple of the rate: E, `didt` and what is recovered are linear."""
        if isinstance(factor, bool) or not isinstance(factor, Real):
            return NotImplemented
        times = checks.number("factor", factor)
        others = tuple(Drive.at_any_rate(drive.coil, drive.pose, drive.didt * times) for drive in self.others)
        changed: dict[str, Any] = {"e": checks.read_only(self.e * times), "didt": self.didt * times, "others": others}
        consult = None if self.consult is None else partial(self._opinion_times, times)
        return replace(self, **changed, recover=partial(self._recovered_times, times), consult=consult)

    __rmul__ = __mul__

    def __truediv__(self, factor: object) -> "EField":
        if isinstance(factor, bool) or not isinstance(factor, Real):
            return NotImplemented
        return self * (1.0 / float(factor))

    def __neg__(self) -> "EField":
        return self * -1.0

    @cached_property
    def recovered(self) -> RecoveredField:
        """The field recovered within each tissue: nodal values, more accurate than `e`."""
        return self.recover()

    # Methods, not lambdas: a field can be pickled, and so come back from another process.
    def _recovered_times(self, factor: float) -> RecoveredField:
        return self.recovered.scaled(factor)

    def _opinion_times(self, factor: float) -> SecondOpinion:
        return self._opinion.scaled(factor)

    @property
    def opinion(self) -> SecondOpinion | None:
        """Another field of the same solution, from which errors are estimated (`FemProblem.second_opinion`)."""
        return None if self.consult is None else self._opinion

    @cached_property
    def _opinion(self) -> SecondOpinion:
        assert self.consult is not None  # noqa: S101 - asked by those who have looked
        return self.consult()

    @cached_property
    def magnitude(self) -> NDArray[np.float64]:
        """(m,) |E| per tetrahedron, V/m."""
        # Half the time of numpy's norm along an axis.
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", self.e, self.e)))

    def at(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """The recovered field at points.

        Parameters
        ----------
        points_mm : (n, 3) array_like, mm

        Returns
        -------
        (n, 3) float, V/m
            nan outside the head.
        """
        return self.recovered.at(checks.points_mm("points_mm", points_mm))

    def in_tets(self, tets: NDArray[np.integer]) -> NDArray[np.float64]:
        """(k, 3) recovered field at the centers of the tetrahedra with the given numbers (k,), V/m."""
        return self.recovered.in_tets(tets)

    def on_vertices(self, surface: Surface, tag: int) -> NDArray[np.float64]:
        """(p, 3) recovered field at a surface's vertices, on the side of tissue `tag`, V/m."""
        return self.recovered.on_nodes(surface.nodes, tag)

    def on_triangles(self, surface: Surface, tag: int) -> NDArray[np.float64]:
        """(t, 3) recovered field at the centers of a surface's triangles, on the side of tissue `tag`, V/m."""
        return np.asarray(self.on_vertices(surface, tag)[surface.triangles].mean(axis=1))

    def on_surface(self, surface: TriangleSurface) -> SurfaceField:
        """The recovered field, its normal and its tangential part at the vertices of any surface in the head.

        Parameters
        ----------
        surface : TriangleSurface
            Such as `mid_surface` of the head, or one read by `efield.io.surfaces.gifti.read_surface`.

        Raises
        ------
        OutsideHeadError
            If more than half of the vertices lie outside the head.
        """
        return field_on_surface(self, surface)

    def summary(self, target: Place) -> Summary:
        """What the field does at a target and in the whole gray matter (see `efield.targeting.measures`).

        Parameters
        ----------
        target : Target, str or (3,) array_like
            A name such as ``"m1-hand-left"`` or ``"C3"``, or a point in mm.

        Warns
        -----
        EfieldWarning
            If the coil would be over the target had its pose been read otherwise, such as LPS for RAS.
        """
        place = target_of(self.head, target)
        warn_if_mistaken(self.head, self.coil, self.pose, place.center_mm)
        return summarize(self, place)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the head with ``E`` and ``magnE`` (V/m, per tetrahedron).

        Parameters
        ----------
        path : path_like
            ``.vtu`` (ParaView) or ``.msh`` (Gmsh 2.2, as SimNIBS users know it: with the outer surface of each tissue,
            tagged 1000 + tissue, on which each triangle has the field of the tetrahedron within).

        Raises
        ------
        InputError
            If it is no name of a file, or the name ends otherwise.
        """
        if not isinstance(path, str | PathLike):
            raise InputError(
                f"path must be the name of a file, such as 'field.vtu'; instead received {checks.kind(path)}"
            )
        data = {"E": self.e.astype(np.float32), "magnE": self.magnitude.astype(np.float32)}
        suffix = Path(path).suffix.lower()
        if suffix == ".vtu":
            write_vtu(path, self.head, cell_data=data)
        elif suffix == ".msh":
            write_mesh(path, self._with_surfaces(data))
        else:
            raise InputError(f"the file's name must end in .vtu or .msh; instead received {Path(path).name!r}")

    def _with_surfaces(self, data: dict[str, NDArray[np.float32]]) -> MeshData:
        """The head, its fields, and the faces in which each tissue meets a later one or the air."""
        head, tags = self.head, self.head.tags
        faces = [(tag, boundary(head, [inner for inner in tags if inner <= tag])) for tag in tags]
        own = [(tag, surface, head.tissue[surface.owners] == tag) for tag, surface in faces]
        owners = np.concatenate([surface.owners[chosen] for _, surface, chosen in own])
        return MeshData(
            points=head.points,
            tets=head.tets,
            tissue=head.tissue,
            element_data=data,
            triangles=np.concatenate([surface.nodes[surface.triangles[chosen]] for _, surface, chosen in own]),
            triangle_tags=np.concatenate([np.full(int(chosen.sum()), 1000 + tag) for tag, _, chosen in own]),
            triangle_data={name: values[owners] for name, values in data.items()},
        )

    def to_nifti(self, path: str | PathLike[str], like: str | PathLike[str] | None = None) -> None:
        """Write the recovered |E| in V/m on a voxel grid, nan outside the head.

        Parameters
        ----------
        path : path_like
            ``.nii`` or ``.nii.gz``.
        like : path_like, optional
            A NIfTI image whose grid is taken; by default a 1 mm grid on whole millimeters, which coincides with the
            MNI152 templates on the default head.
        """
        write_on_grid(path, self.head, self.magnitude_on_grid, like)

    def to_gifti(self, path: str | PathLike[str], surface: TriangleSurface | None = None) -> SurfaceField:
        """Write the recovered field on a surface: ``E_magn``, ``E_normal`` (positive into the cortex), ``E_tangent``.

        Parameters
        ----------
        path : path_like
            ``.gii``, with the surface in it; ``.func.gii`` or ``.shape.gii`` for the values alone, as Connectome
            Workbench overlays them. Without a surface of your own that of the head is written beside it, as
            ``.surf.gii``.
        surface : TriangleSurface, optional
            In head coordinates; by default the middle of the head's cortex (`mid_surface`).

        Returns
        -------
        SurfaceField
            What was written; its `outside` counts the vertices outside the head, which are nan in the file.

        Raises
        ------
        OutsideHeadError
            If more than half of the vertices lie outside the head.
        InputError
            If the name ends otherwise, the surface is inflated or spherical, or the head has no white matter and no
            surface is given.
        """
        if str(path).endswith(SURFACE_SUFFIX):
            raise InputError(
                f"{Path(path).name} must end in .func.gii or plain .gii; instead it ends in {SURFACE_SUFFIX}, and such "
                "a file holds no field: give lh.func.gii"
            )
        found = self.on_surface(mid_surface(self.head) if surface is None else surface)
        write_values(path, found.values(), found.surface)
        ending = next((ending for ending in VALUE_SUFFIXES if str(path).endswith(ending)), None)
        if surface is None and ending is not None:
            write_surface(str(path).removesuffix(ending) + SURFACE_SUFFIX, found.surface)
        return found

    def magnitude_on_grid(self, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> NDArray[np.float32]:
        """Recovered |E| in V/m at voxel centers, nan outside the head.

        Parameters
        ----------
        shape : tuple of 3 int
        affine : (4, 4) float
            Voxel indices to mm.
        """
        volume = np.full(shape, np.nan, dtype=np.float32)
        for tag in self.head.tags:
            paint(self.head, tag, self.recovered.at_nodes(tag), volume, affine)
        return volume

    def to_pyvista(self) -> Any:
        """The head and the field of the finite elements for PyVista, in mm and V/m.

        Returns
        -------
        pyvista.UnstructuredGrid
            Tetrahedra with the cell arrays ``tissue`` (tags), ``E`` (3 components) and ``magnE``, V/m.
        """
        grid = self.head.to_pyvista()
        grid.cell_data["E"], grid.cell_data["magnE"] = self.e.copy(), self.magnitude.copy()
        return grid

    def plot(self, target: Place | None = None, coil: CoilLike | None = None) -> Any:
        """Show the field on the cortex in three dimensions (PyVista); `efield.viz.Scene` shows more, and elsewhere.

        Parameters
        ----------
        target : Target, str or (3,) array_like, optional
            Marked in the picture.
        coil : Coil, or its name or file, optional
            Drawn at the field's pose, with its handle and the current that it induces.

        Returns
        -------
        pyvista.Plotter
            Two panels, 960 pixels wide: the whole head, and the cortex at the target. Call its ``show()``, or
            ``screenshot(path)``.
        """
        from efield.viz.overview import field_plotter

        place = None if target is None else target_of(self.head, target)
        return field_plotter(self, target=place, coil=coil, pose=self.pose if coil is not None else None)

    def _card(self) -> Card:
        points, tets = len(self.head.points), len(self.head.tets)
        others = listed(f"{drive.coil.name}, {rate(drive.didt)}" for drive in self.others)
        rows = (
            ("head", f"{counted(points, 'node')}, {counted(tets, 'tetrahedron', 'tetrahedra')}"),
            ("coil", self.coil.name),
            ("dI/dt", rate(self.didt)),
            ("center", place(self.pose.center_mm)),
            ("driven too", others),
        )
        return Card("EField, V/m", rows)


def write_on_grid(
    path: str | PathLike[str],
    head: HeadMesh,
    values: Callable[[tuple[int, int, int], NDArray[np.float64]], NDArray[np.float32]],
    like: str | PathLike[str] | None,
) -> None:
    """Write what `values` gives for a grid's shape and affine; the grid is that of `like`, or of whole millimeters."""
    bounds = np.array([head.points.min(axis=0), head.points.max(axis=0)])
    shape, affine = sample_grid(bounds, _VOXEL_MM) if like is None else read_grid(like)
    is_mni = head.mni is not None and head.mni.is_identity
    write_scalar_nifti(path, values(shape, affine), affine, mni=is_mni)


def paint(
    head: HeadMesh, tag: int, vectors: NDArray[np.float64], volume: NDArray[np.float32], affine: NDArray[np.float64]
) -> None:
    """Write the sizes of vectors (n, 3) at a head's nodes into those voxels of a volume that lie in a tissue."""
    to_index = np.linalg.inv(affine)
    points = head.points @ to_index[:3, :3].T + to_index[:3, 3]
    paint_magnitude(points, np.ascontiguousarray(head.tets[head.tissue == tag]), vectors, volume)
