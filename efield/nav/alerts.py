"""Rules that mark poses: a measure compared with a number, or with a share of what the planned placement gives."""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from efield.ground.errors import InputError
from efield.targeting.measures import unknown

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RULE: Final = re.compile(
    rf"\s*(?P<name>\w+)\s*(?P<sign><=|>=|<|>)\s*(?:(?P<factor>{_NUMBER})\s*(?P<times>\*\s*plan)?|(?P<plan>plan))\s*"
)

#: How far the coil is from the planned pose; rules may name these as well.
OFF_PLAN: Final = ("off_plan_mm", "off_plan_deg")


@dataclass(frozen=True)
class Alert:
    """One rule.

    Parameters
    ----------
    text : str
        As it was given.
    name : str
        Of the measure.
    sign : str
        One of ``< <= > >=``.
    factor : float
        The limit, or the share of the plan's value.
    of_plan : bool
        Which of both.
    """

    text: str
    name: str
    sign: str
    factor: float
    of_plan: bool

    @classmethod
    def parse(cls, text: str) -> "Alert":
        """A rule of ``NAME < NUMBER`` or ``NAME < NUMBER*plan``, with any of ``< <= > >=``.

        Raises
        ------
        InputError
            If it is anything else.
        """
        found = _RULE.fullmatch(text) if len(text) <= 200 else None
        if found is None:
            raise InputError(
                "an alert must be MEASURE<NUMBER or MEASURE<NUMBER*plan, with < <= > or >=, such as "
                f'"mean_magnitude<0.9*plan"; instead received {text[:60]!r}'
            )
        of_plan = bool(found["times"] or found["plan"])
        return cls(text.strip(), found["name"], found["sign"], float(found["factor"] or 1.0), of_plan)

    def check(self, known: Collection[str], planned: bool) -> None:
        """Refuse a rule that can never be asked.

        Parameters
        ----------
        known : collection of str
            Measures that there are.
        planned : bool
            Whether there is a planned placement.

        Raises
        ------
        InputError
            If its measure is unknown, or it needs a plan and there is none.
        """
        if self.name not in known and self.name not in OFF_PLAN:
            raise unknown(self.name, [*known, *OFF_PLAN])
        if self.of_plan and self.name in OFF_PLAN:
            raise InputError(
                f"{self.name} is zero at the plan: compare it with a number; instead received {self.text!r}"
            )
        if (self.of_plan or self.name in OFF_PLAN) and not planned:
            raise InputError(f"the alert {self.text!r} needs the planned pose: give it (--plan FILE:NAME)")

    def applies(self, values: Mapping[str, float], plan: Mapping[str, float]) -> bool:
        """Whether these values are to be marked; a measure that could not be taken (nan) is."""
        value = values[self.name]
        limit = self.factor * plan[self.name] if self.of_plan else self.factor
        return value != value or _COMPARE[self.sign](value, limit)
