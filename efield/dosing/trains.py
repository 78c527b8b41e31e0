"""Trains of pulses: what a session of repetitive stimulation is made of."""

from dataclasses import dataclass

from efield.ground import checks
from efield.ground.card import Card, Carded


@dataclass(frozen=True, repr=False)
class Trains(Carded):
    """The trains of one session.

    Parameters
    ----------
    freq_hz : float
        Pulses per second within a train.
    train_s : float
        Length of a train in seconds.
    trains : int
    iti_s : float, optional
        Time from the end of a train to the start of the next, in seconds.

    Raises
    ------
    InputError
        If a number is not positive.

    Examples
    --------
    >>> session = ef.Trains(freq_hz=10, train_s=5, trains=20, iti_s=55)
    >>> session.pulses, session.duration_s
    (1000.0, 1145.0)
    """

    freq_hz: float
    train_s: float
    trains: int = 1
    iti_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("freq_hz", "train_s"):
            object.__setattr__(self, name, checks.positive(name, getattr(self, name)))
        object.__setattr__(self, "trains", checks.whole("trains", self.trains, 1))
        if self.iti_s is not None:
            object.__setattr__(self, "iti_s", checks.positive("iti_s", self.iti_s))

    @property
    def pulses_per_train(self) -> float:
        """Rate times length."""
        return self.freq_hz * self.train_s

    @property
    def pulses(self) -> float:
        """Of the whole session."""
        return self.pulses_per_train * self.trains

    @property
    def duration_s(self) -> float | None:
        """From the first pulse to the end of the last train; None where the time between trains is not known."""
        if self.trains == 1:
            return self.train_s
        return None if self.iti_s is None else self.trains * self.train_s + (self.trains - 1) * self.iti_s

    @property
    def words(self) -> str:
        """In one line."""
        gap = "" if self.trains == 1 else f", {'gap not known' if self.iti_s is None else f'{self.iti_s:g} s apart'}"
        long = self.duration_s
        total = "" if long is None else f", {long / 60:.1f} min"
        count = "1 train" if self.trains == 1 else f"{self.trains} trains"
        return f"{count} of {self.train_s:g} s at {self.freq_hz:g} Hz{gap}: {self.pulses:g} pulses{total}"

    def _card(self) -> Card:
        return Card("Trains", (("session", self.words),))
