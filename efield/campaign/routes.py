"""How the placements of a cell are answered: the same for all of its chunks, wherever they are computed."""

from dataclasses import dataclass, field

from efield.campaign.study import Cell, Study
from efield.coils.model import Coil
from efield.reciprocity.route import route
from efield.targeting.simulate import worth_storing


@dataclass(frozen=True)
class Routes:
    """The routes of a study's cells, and its coils, loaded once."""

    study: Study
    _coils: dict[int, Coil] = field(default_factory=dict)
    _found: dict[tuple[int, int], bool] = field(default_factory=dict)

    def coil(self, number: int) -> Coil:
        """A coil of the study."""
        if number not in self._coils:
            self._coils[number] = self.study.coils[number].load(self.study.base)
        return self._coils[number]

    def exact(self, cell: Cell, nodes: int) -> bool | None:
        """Whether a coil is summed over its sources on a head of so many nodes; None with a basis.

        It depends on how many placements a cell has. Coils share what is stored for a target.
        """
        study = self.study
        if study.engine.kind == "reduced":
            return None
        if study.engine.exact:
            return True
        if study.engine.kind == "full":
            return not worth_storing(nodes, study.count)
        key = cell.coil, nodes
        if key not in self._found:
            self._found[key] = route(self.coil(cell.coil), nodes, 3, study.count * len(study.coils))[0]
        return self._found[key]

    def name(self, cell: Cell, nodes: int) -> str:
        """The route, as markers call it."""
        exact = self.exact(cell, nodes)
        return "basis" if exact is None else "exact" if exact else "stored"
