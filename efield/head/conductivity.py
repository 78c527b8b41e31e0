"""Conductivity of a head: one value per tissue tag."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tissue import TISSUES


def _default_values() -> dict[int, float]:
    return {tag: tissue.conductivity for tag, tissue in TISSUES.items()}


@dataclass(frozen=True)
class Conductivity:
    """Isotropic conductivity per tissue tag.

    Parameters
    ----------
    values : mapping of int to float, S/m
        Conductivity of each tissue tag; defaults to the cited table in `efield.head.tissue`.
    """

    values: Mapping[int, float] = field(default_factory=_default_values)

    def __post_init__(self) -> None:
        checked = {int(tag): checks.positive(f"conductivity of tag {tag}", v) for tag, v in self.values.items()}
        object.__setattr__(self, "values", checked)

    def with_values(self, overrides: Mapping[int, float]) -> "Conductivity":
        """A copy with some tags' conductivities (S/m) replaced or added."""
        return Conductivity({**self.values, **overrides})

    def per_tet(self, head: HeadMesh) -> NDArray[np.float64]:
        """(m,) conductivity of each tetrahedron in S/m.

        Raises
        ------
        InputError
            If the head holds tags that have no conductivity.
        """
        unknown = [tag for tag in head.tags if tag not in self.values]
        if unknown:
            raise InputError(
                f"every tissue tag needs a conductivity; tags {unknown} have none: "
                "give them with Conductivity().with_values({tag: value in S/m})"
            )
        table = np.zeros(max(head.tags) + 1)
        for tag in head.tags:
            table[tag] = self.values[tag]
        return np.asarray(table[head.tissue])
