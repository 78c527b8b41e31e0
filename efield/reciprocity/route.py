"""Which way is taken to the placements of a coil: the sum over the head's nodes, or what is stored around the head."""

from typing import Final

from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.ground.card import counted

#: Coils of fewer sources are summed exactly, which takes little time for them. What the stored polynomials miss near
#: the scalp does not average out over a few: one dipole 6 mm from a sphere missed the peak by 9e-4.
_FEW_SOURCES: Final = 100

#: CPU seconds, all of one run (a busy core of 2.5 GHz; `benchmarks/coils.py`): of one pair of node and source, and, for
#: each direction and once more, of storing the potential: on any head, and for each of its nodes. With three directions
#: it took 25 s on a sphere of 6,525 nodes and 51 on the default head of 300,234, with one 15 and 30. Wires in clusters
#: take 0.24 to 0.32 of the 2.7e-9 that they took one by one (the catalog on the default head).
_PAIR: Final[dict[type, float]] = {Segments: 7e-10, Dipoles: 2.0e-9}
_STORE: Final = 6.1
_STORE_NODE: Final = 2.2e-5


def route(
    coil: Coil, nodes: int, directions: int, placements: int, exact: bool | None = None, *, stored: bool = False
) -> tuple[bool, str]:
    """`Reciprocal.route` for a head of so many nodes and so many directions, which need not be solved for."""
    if exact:
        return True, "exact, as asked for"
    if any(isinstance(source, SampledField) for source in coil.sources):
        return True, "exact: of a sampled field the wires are not known"
    if len(coil) < _FEW_SOURCES:
        return True, f"exact: {counted(len(coil), 'source')} only"
    summed = nodes * placements * sum(_PAIR[type(source)] * len(source) for source in coil.sources)
    storing = 0.0 if stored else (1 + directions) * (_STORE + _STORE_NODE * nodes)
    if exact is None and summed < storing:
        return True, "exact, which takes less time for so few placements"
    return False, "fast"
