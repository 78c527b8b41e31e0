"""The words that arguments and options of planning may be."""

from typing import Final

#: What a placement can be best at, and the units.
GOALS: Final = {"magnitude": "V/m", "along": "V/m", "focality": "1"}
