"""Conductivity of a head: one value per tissue tag, and tensors where diffusion was measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, listed
from efield.ground.errors import InputError
from efield.head.anisotropy import Anisotropy, TensorReport
from efield.head.mesh import HeadMesh
from efield.head.tensor_field import TensorField
from efield.head.tissue import TISSUES, conductivity, tissue_name, tissue_tag


@dataclass(frozen=True, repr=False)
class Conductivity(Carded):
    """Conductivity per tissue tag, isotropic unless tensors are given.

    Parameters
    ----------
    values : mapping of int or str to float, S/m
        Isotropic conductivity of each tissue, by tag or name; defaults to the cited table in `efield.head.tissue`.
    anisotropy : Anisotropy, optional
        Tensors and the tissues that have them, see `with_tensors`.

    Raises
    ------
    InputError
        If a name is unknown, a tissue is given twice, or a value is not positive or more than any tissue conducts.

    Examples
    --------
    >>> ef.Conductivity().with_values({"bone": 0.012}).values[4]
    0.012
    """

    values: Mapping[int, float] = field(
        default_factory=lambda: {tag: tissue.conductivity for tag, tissue in TISSUES.items()}
    )
    anisotropy: Anisotropy | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping):
            raise InputError(f"values must map tissue tags to S/m; instead received {checks.kind(self.values)}")
        tags = {tissue: tissue_tag(tissue) for tissue in self.values}
        if len(set(tags.values())) < len(tags):
            raise InputError(f"values must give each tissue once; instead received {list(tags)}")
        checked = {tag: conductivity(f"conductivity of tag {tag}", tag, self.values[one]) for one, tag in tags.items()}
        object.__setattr__(self, "values", checked)

    def with_values(self, overrides: Mapping[int, float] | Mapping[str, float]) -> "Conductivity":
        """A copy with some tissues' conductivities (S/m) replaced or added, by tag or name, ``{"bone": 0.012}``.

        Raises
        ------
        InputError
            If it is no mapping, a name is unknown, one tissue is given twice, or a value is not a positive number.
        """
        if not isinstance(overrides, Mapping):
            raise InputError(f"overrides must map tissues to S/m; instead received {checks.kind(overrides)}")
        given = {tissue_tag(tissue): value for tissue, value in overrides.items()}
        if len(given) < len(overrides):
            raise InputError(f"overrides must give each tissue once; instead received {list(overrides)}")
        return replace(self, values={**self.values, **given})

    def with_tensors(
        self,
        tensors: TensorField,
        *,
        tissues: Iterable[str | int] = ("white matter", "gray matter"),
        mapping: str = "volume-normalized",
        factor: float | None = None,
        max_ratio: float = 10.0,
    ) -> "Conductivity":
        """A copy in which some tissues conduct as the diffusion tensors say; elsewhere the isotropic values hold.

        Parameters
        ----------
        tensors : TensorField
        tissues : iterable of str or int
            Names or tags of the tissues that get tensors.
        mapping : {"volume-normalized", "direct", "direct-fitted"}
            How diffusion becomes conductivity, see `efield.head.anisotropy`.
        factor : float, optional, S s/mm^3
            Conductivity over diffusivity of the direct mapping; 0.844 (Tuch et al. 2001) unless given.
        max_ratio : float
            Largest ratio of eigenvalues; smaller ones are raised, and counted.

        Raises
        ------
        InputError
            If a tissue or the mapping is unknown, or a number is out of range.
        """
        wanted = (tissues,) if isinstance(tissues, str) else tissues
        tags = tuple(dict.fromkeys(tissue_tag(tissue) for tissue in wanted))
        given = Anisotropy(field=tensors, tags=tags, mapping=mapping, factor=factor, max_ratio=max_ratio)
        return replace(self, anisotropy=given)

    def per_tet(self, head: HeadMesh) -> NDArray[np.float64]:
        """(m,) conductivity of each tetrahedron in S/m, or (m, 3, 3) if there are tensors.

        Raises
        ------
        InputError
            If the head holds tags that have no conductivity, or no tetrahedron gets a tensor.
        """
        return self.per_tet_with_report(head)[0]

    def per_tet_with_report(self, head: HeadMesh) -> tuple[NDArray[np.float64], TensorReport | None]:
        """What `per_tet` gives, and what became of the tensors, if there are any."""
        isotropic = self._isotropic(head)
        return (isotropic, None) if self.anisotropy is None else self.anisotropy.tensors(head, isotropic)

    def _isotropic(self, head: HeadMesh) -> NDArray[np.float64]:
        unknown = [tag for tag in head.tags if tag not in self.values]
        if unknown:
            raise InputError(
                f"every tissue tag needs a conductivity; tags {unknown} have none: "
                f"give them with Conductivity().with_values({{{unknown[0]}: S/m}}), or --conductivity {unknown[0]}=S/m"
            )
        table = np.zeros(max(head.tags) + 1)
        for tag in head.tags:
            table[tag] = self.values[tag]
        return np.asarray(table[head.tissue])

    def _card(self) -> Card:
        values = [f"{tissue_name(tag)} {value:g}" for tag, value in self.values.items()]
        rows = [("" if first else "S/m", ", ".join(values[first : first + 4])) for first in range(0, len(values), 4)]
        if self.anisotropy is not None:
            tissues = listed(tissue_name(tag) for tag in self.anisotropy.tags)
            tensors = f"{tissues}; {self.anisotropy.mapping}, ratio up to {self.anisotropy.max_ratio:g}"
            rows.insert(0, ("tensors", tensors))
        return Card("Conductivity", rows)
