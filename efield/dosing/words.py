"""The words that arguments and options of a dose may be."""

from typing import Final

#: How a motor threshold was found: from the muscle's electric response, or by watching the twitch.
METHODS: Final = ("emg", "visual")

WAVEFORMS: Final = ("monophasic", "biphasic", "half-sine")

#: Which half of a biphasic pulse counts: its first, or its second, in which dI/dt runs the other way.
PHASES: Final = ("first", "second")

#: Sense of the induced current, from where to where: posterior, anterior, lateral, medial.
SENSES: Final = ("PA", "AP", "LM", "ML")

#: How a trial came out, as we read its outcome.
EVIDENCE: Final = {
    "for": "better than its control",
    "against": "not better than its control",
    "mixed": "some outcomes or conditions better than the control, others not",
    "no-sham": "no sham to compare with",
    "unstated": "the outcome was not read",
}
