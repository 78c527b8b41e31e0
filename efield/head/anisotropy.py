"""Conductivity tensors from diffusion tensors: water and current are hindered by the same membranes.

Both mappings keep the eigenvectors of the diffusion tensor D. *Volume-normalized*: sigma = s D / det(D)^(1/3), where s
is the isotropic conductivity of the tissue: the tensor has the volume of the isotropic one, only the shape of D is
used. *Direct*: sigma = k D with one factor k everywhere.

References
----------
Tuch DS, Wedeen VJ, Dale AM, George JS, Belliveau JW. Conductivity tensor mapping of the human brain using diffusion
tensor MRI. Proc Natl Acad Sci USA 2001;98:11697-11701 (the factor).
Rullmann M, Anwander A, Dannhauer M, Warfield SK, Duffy FH, Wolters CH. EEG source analysis of epileptiform activity
using a 1 mm anisotropic hexahedra finite element head model. NeuroImage 2009;44:399-410 (a fitted factor).
Opitz A, Windhoff M, Heidemann RM, Turner R, Thielscher A. How the brain tissue shapes the electric field induced by
transcranial magnetic stimulation. NeuroImage 2011;58:849-859 (both mappings in TMS).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, listed
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tensor_field import ENTRIES, TensorField
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name

MAPPINGS: Final = ("volume-normalized", "direct", "direct-fitted")

#: Conductivity over diffusivity in S s/mm^3, 0.844 +- 0.0545 (Tuch et al. 2001, abstract).
TUCH_FACTOR: Final = 0.844

#: Tetrahedra whose tensors are decomposed at a time, to bound the memory.
_BLOCK: Final = 100_000

#: Share of the voxels around a point, by interpolation weight, that must hold a tensor.
_ENOUGH: Final = 0.5

#: Largest eigenvalue below which there is no tensor but rounding, mm^2/s: a thousandth of what tissue has.
_LEAST: Final = 1e-6

_MM_PER_M: Final = 1e3


@dataclass(frozen=True, kw_only=True)
class TensorReport:
    """What became of the tensors of a head's tetrahedra.

    Parameters
    ----------
    mapping : str
        One of `MAPPINGS`.
    factor : float or None, S s/mm^3
        Conductivity over diffusivity, where the mapping has one.
    tissues : tuple of int
        Tags that were to have tensors.
    tets, used, outside, missing : int
        Tetrahedra of these tissues; with a tensor; isotropic because outside the volume; isotropic because there is
        no tensor at the place, or one without an eigenvalue above 1e-6 mm^2/s.
    raised, capped : int
        Of those used, tetrahedra with eigenvalues that were zero or negative, and with a ratio above `max_ratio`.
    used_fraction, raised_fraction, capped_fraction : float
        The same as shares of the volume of these tissues.
    max_ratio : float
        Largest ratio of eigenvalues allowed.
    """

    mapping: str
    factor: float | None
    tissues: tuple[int, ...]
    tets: int
    used: int
    outside: int
    missing: int
    raised: int
    capped: int
    used_fraction: float
    raised_fraction: float
    capped_fraction: float
    max_ratio: float

    def to_json(self) -> dict[str, Any]:
        """All entries, with the names of the tissues."""
        return {**vars(self), "tissues": [tissue_name(tag) for tag in self.tissues]}

    def lines(self) -> list[str]:
        """The report in sentences."""
        factor = "" if self.factor is None else f", factor {self.factor:.4g} S s/mm^3"
        names = " and ".join(tissue_name(tag) for tag in self.tissues)
        text = [
            f"tensors: {self.used} of {self.tets} tetrahedra of {names} ({self.used_fraction:.1%} of the volume), "
            f"{self.mapping} mapping{factor}"
        ]
        if self.outside or self.missing:
            text.append(
                f"tensors: isotropic where there is none: {self.outside} tetrahedra outside the volume, "
                f"{self.missing} without a tensor"
            )
        if self.raised or self.capped:
            text.append(
                f"tensors: eigenvalues raised to 1/{self.max_ratio:g} of the largest: {self.raised} tetrahedra had "
                f"zero or negative ones ({self.raised_fraction:.1%} of the volume), {self.capped} a larger ratio "
                f"({self.capped_fraction:.1%})"
            )
        return text


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Anisotropy(Carded):
    """Which tissues have tensors, and how diffusion becomes conductivity.

    Parameters
    ----------
    field : TensorField
    tags : tuple of int
        Tissues that get tensors.
    mapping : {"volume-normalized", "direct", "direct-fitted"}
        The last is direct with a factor fitted so that the mean conductivities of the tissues come near the isotropic
        ones: the least squares of s_k - factor d_k over the tissues, with d_k the volume mean of det(D)^(1/3).
    factor : float, optional, S s/mm^3
        Of the direct mapping; `TUCH_FACTOR` unless given.
    max_ratio : float
        Eigenvalues below the largest over this are raised to it. This happens before the normalization, so that the
        volume-normalized tensor keeps its volume exactly; in a direct mapping the largest eigenvalue stays what it was.

    Raises
    ------
    InputError
        If the mapping is unknown, a factor comes with a mapping that takes none, or a number is out of range.
    """

    field: TensorField
    tags: tuple[int, ...] = (WHITE_MATTER, GRAY_MATTER)
    mapping: str = "volume-normalized"
    factor: float | None = None
    max_ratio: float = 10.0

    def __post_init__(self) -> None:
        checks.choice("mapping", self.mapping, MAPPINGS)
        checks.in_range("max_ratio", self.max_ratio, 1.0, 1e4)
        if not self.tags:
            raise InputError("tissues must name at least one tissue to have tensors; instead received none")
        if self.factor is not None:
            checks.positive("factor", self.factor)
            if self.mapping != "direct":
                raise InputError(f"factor must come with mapping='direct'; instead the mapping is {self.mapping!r}")

    def tensors(self, head: HeadMesh, isotropic: NDArray[np.float64]) -> tuple[NDArray[np.float64], TensorReport]:
        """(m, 3, 3) conductivity of every tetrahedron in S/m, isotropic (m,) where there is no tensor, and a report.

        Raises
        ------
        InputError
            If the head has none of the tissues, or no tetrahedron of them gets a tensor; the boxes are named.
        """
        chosen = np.flatnonzero(np.isin(head.tissue, self.tags))
        if not len(chosen):
            names = ", ".join(tissue_name(tag) for tag in self.tags)
            raise InputError(
                f"the head must have a tissue that gets tensors ({names}); instead it has the tags {head.tags}"
            )
        sigma = np.zeros((len(isotropic), 3, 3))
        sigma[:, (0, 1, 2), (0, 1, 2)] = isotropic[:, None]
        size, state = self._shapes(head, chosen, sigma)
        used = chosen[size > 0]
        if not len(used):
            raise InputError(self._nothing(head, chosen, state))
        factor = self._factor(head, used, size[size > 0], isotropic)
        scale = isotropic[used] / size[size > 0] if factor is None else np.full(len(used), _MM_PER_M * factor)
        sigma[used] *= scale[:, None, None]
        return sigma, self._report(factor, head.volumes[chosen], state)

    def _shapes(
        self, head: HeadMesh, chosen: NDArray[np.int64], sigma: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        """Writes the clipped D into sigma; returns (k,) det(D)^(1/3), 0 without a tensor, and (k,) what was found."""
        size, state = np.zeros(len(chosen)), np.empty(len(chosen), dtype="U7")
        for first in range(0, len(chosen), _BLOCK):
            block = slice(first, first + _BLOCK)
            values, weight = self.field.sample(head.barycenters[chosen[block]])
            eigenvalues, axes = np.linalg.eigh(values[:, ENTRIES])
            largest = eigenvalues[:, 2]
            floor = largest / self.max_ratio
            present = (weight >= _ENOUGH) & (largest > _LEAST)
            state[block] = np.select(
                [weight < 0, ~present, eigenvalues[:, 0] <= 0, eigenvalues[:, 0] < floor * (1 - 1e-12)],
                ["outside", "missing", "raised", "capped"],
                "used",
            )
            clipped = np.maximum(eigenvalues, floor[:, None])[present]
            kept = axes[present]
            sigma[chosen[block][present]] = (kept * clipped[:, None]) @ kept.transpose(0, 2, 1)
            size[block][present] = np.cbrt(clipped.prod(axis=1))
        return size, state

    def _factor(
        self, head: HeadMesh, used: NDArray[np.int64], size: NDArray[np.float64], isotropic: NDArray[np.float64]
    ) -> float | None:
        """S s/mm^3; None for the volume-normalized mapping."""
        if self.mapping == "volume-normalized":
            return None
        if self.mapping == "direct":
            return TUCH_FACTOR if self.factor is None else float(self.factor)
        tissue, volume = head.tissue[used], head.volumes[used]
        top = bottom = 0.0
        for tag in np.unique(tissue):
            here = tissue == tag
            mean = float(np.average(size[here], weights=volume[here]))
            top, bottom = top + mean * float(isotropic[used[here][0]]), bottom + mean * mean
        return top / bottom / _MM_PER_M

    def _report(self, factor: float | None, volume: NDArray[np.float64], state: NDArray[np.str_]) -> TensorReport:
        def share(*names: str) -> float:
            return float(volume[np.isin(state, names)].sum() / volume.sum())

        count = {name: int((state == name).sum()) for name in ("outside", "missing", "raised", "capped")}
        return TensorReport(
            mapping=self.mapping,
            factor=factor,
            tissues=self.tags,
            tets=len(state),
            used=len(state) - count["outside"] - count["missing"],
            **count,
            used_fraction=1.0 - share("outside", "missing"),
            raised_fraction=share("raised"),
            capped_fraction=share("capped"),
            max_ratio=self.max_ratio,
        )

    def _nothing(self, head: HeadMesh, chosen: NDArray[np.int64], state: NDArray[np.str_]) -> str:
        places = head.barycenters[chosen]
        tissue_box = np.array([places.min(axis=0), places.max(axis=0)])
        boxes = f"the volume spans {_box(self.field.box_mm)}, the tissues {_box(tissue_box)} (mm, RAS)"
        if (state == "outside").all():
            return f"the tensors must overlap the tissues they are for; instead {boxes}: register the images first"
        return f"the tensors must not be empty where the tissues are; instead none of these tetrahedra has one; {boxes}"

    def _card(self) -> Card:
        rows = (
            ("tissues", listed(tissue_name(tag) for tag in self.tags)),
            ("mapping", self.mapping),
            ("factor", "" if self.factor is None else f"{self.factor:g} S s/mm^3"),
            ("largest ratio", f"{self.max_ratio:g} of eigenvalues"),
            ("tensors", " x ".join(map(str, self.field.values.shape[:3])) + " voxels, mm^2/s"),
        )
        return Card("Anisotropy", rows)


def _box(corners: NDArray[np.float64]) -> str:
    return " ".join(f"{name} {low:.0f} to {high:.0f}" for name, low, high in zip("xyz", *corners, strict=True))
