"""How well a number is known, and the words that go with every dose."""

from functools import cache
from pathlib import Path
from tomllib import loads
from typing import Any, Final

#: Printed with every dose.
DISCLAIMER: Final = "research software, not a medical device: a dose for a person needs a clinician"

#: Marks of a number, the sign behind it in a table, and what it means. What was read has none.
SIGNS: Final = {
    "read": "",
    "derived": " =",
    "inferred": " ?",
    "memory": " ?",
    "secondary": "",
}
WORDS: Final = {
    "read": "read in the named source",
    "derived": "computed from what was read",
    "inferred": "UNVERIFIED: inferred, not read in the study's own text",
    "memory": "UNVERIFIED: from memory, not read anywhere",
    "secondary": "read in a secondary source, not in the original",
}
LEGEND: Final = "? unverified (inferred or from memory), = computed from what was read"


def verified(mark: str) -> bool:
    """Whether a number with this mark was read, or computed from what was read."""
    return mark not in ("inferred", "memory")


@cache
def packaged(name: str) -> dict[str, Any]:
    """The content of a TOML file that comes with this package."""
    return loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
