"""Which place's field explains the responses: a regression of their amplitudes on |E| at every place.

References
----------
Numssen O, Zier AL, Thielscher A, Hartwigsen G, Knoesche TR, Weise K. Efficient high-resolution TMS mapping of the human
motor cortex by nonlinear regression. NeuroImage 2021;245:118654 (its title was read, not the article): the place with
the largest coefficient of determination is where the response comes from. There curves are sigmoids; the straight line
is beside them here because it needs no choice (docs/recordings.md).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.card import Card, Carded, place
from efield.ground.errors import InputError

FloatArray = NDArray[np.float64]

#: Fewer responses than this say nothing of a place.
FEWEST: Final = 8

#: The curve 1 / (1 + exp(-s (u - t))) of u, |E| from its smallest (0) to its largest (1) at a place: what t and s can
#: be. The last slope is a step, the first nearly a line.
_MIDDLES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_SLOPES: Final = (4.0, 8.0, 16.0, 32.0)

#: Places within this share of the largest coefficient cannot be told from the best.
_ALIKE: Final = 0.95

#: Places whose curves are fitted together.
_TOGETHER: Final = 2048


@dataclass(frozen=True, eq=False)
class Fit:
    """One kind of curve, at every place.

    Parameters
    ----------
    r2 : (g,) float
        Coefficient of determination; 0 where the response falls with |E|.
    best : int
        The place where it is largest.
    place_mm : (3,) float
    alike_cm3 : float
        Gray matter whose coefficient is at least 95 % of the largest: how well the place is told.
    """

    r2: FloatArray
    best: int
    place_mm: FloatArray
    alike_cm3: float

    @property
    def largest(self) -> float:
        """The coefficient at the best place."""
        return float(self.r2[self.best])


@dataclass(frozen=True, eq=False, repr=False)
class Localization(Carded):
    """Where the responses come from.

    Parameters
    ----------
    line, sigmoid : Fit
    magnitude : (n,) float, V/m
        |E| at the sigmoid's best place, of each pulse with a response.
    amplitude : (n,) float, uV
    """

    line: Fit
    sigmoid: Fit
    magnitude: FloatArray
    amplitude: FloatArray

    @property
    def apart_mm(self) -> float:
        """Distance between the best places of both curves."""
        return float(np.linalg.norm(self.line.place_mm - self.sigmoid.place_mm))

    def predicted(self, magnitude: FloatArray) -> FloatArray:
        """(m,) uV that the curve at the sigmoid's best place makes of |E| (m,) in V/m there."""
        low, span = self.magnitude.min(), np.ptp(self.magnitude)
        columns = {None: self.magnitude} | {
            (t, s): _sigmoid((self.magnitude - low) / span, t, s) for t in _MIDDLES for s in _SLOPES
        }
        response = self.amplitude - self.amplitude.mean()
        best = max(columns, key=lambda shape: _explained(columns[shape][:, None], response)[0])
        slope, offset = np.polyfit(columns[best], self.amplitude, 1)
        return np.asarray(offset + slope * (magnitude if best is None else _sigmoid((magnitude - low) / span, *best)))

    def _card(self) -> Card:
        rows = [("responses", str(len(self.amplitude)))]
        for name, fit in (("sigmoid", self.sigmoid), ("line", self.line)):
            words = f"R2 {fit.largest:.2f} at {place(fit.place_mm)}, {fit.alike_cm3:.2g} cm3 within 5 % of it"
            rows.append((name, words))
        return Card("Localization of the response", rows)


def localize(
    magnitude: NDArray[np.floating], amplitude: FloatArray, points_mm: FloatArray, volumes: FloatArray
) -> Localization:
    """Regress amplitudes on |E| at every place.

    Parameters
    ----------
    magnitude : (n, g) float, V/m
        |E| of each pulse at each place.
    amplitude : (n,) float, uV
    points_mm : (g, 3) float
    volumes : (g,) float, mm3
        What each place stands for.

    Raises
    ------
    InputError
        If there are fewer than eight amplitudes, or they or the fields are all the same.
    """
    if len(amplitude) < FEWEST:
        raise InputError(f"a regression needs at least {FEWEST} amplitudes; instead there are {len(amplitude)}")
    response = amplitude - amplitude.mean()
    if not response.any():
        raise InputError("a regression needs amplitudes that differ; instead all are the same")
    line, curve = np.empty(len(points_mm)), np.empty(len(points_mm))
    for first in range(0, len(points_mm), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        u = _from_0_to_1(magnitude[:, part])
        line[part] = _explained(u, response)
        curve[part] = np.maximum.reduce([_explained(_sigmoid(u, t, s), response) for t in _MIDDLES for s in _SLOPES])
    if not line.any():
        raise InputError("a regression needs fields that differ from pulse to pulse; instead none explains anything")
    straight, sigmoid = (_fit(values, points_mm, volumes) for values in (line, np.maximum(line, curve)))
    return Localization(straight, sigmoid, magnitude[:, sigmoid.best].astype(np.float64), amplitude)


def _from_0_to_1(magnitude: NDArray[np.floating]) -> NDArray[np.float32]:
    low = magnitude.min(axis=0)
    span = magnitude.max(axis=0) - low
    return np.asarray((magnitude - low) / np.where(span > 0, span, 1.0), np.float32)


def _sigmoid(u: NDArray[np.floating], middle: float, slope: float) -> NDArray[np.floating]:
    return np.asarray(1.0 / (1.0 + np.exp(slope * (middle - u))))


def _explained(predictor: NDArray[np.floating], response: FloatArray) -> FloatArray:
    """(g,) squared correlation of columns (n, g) with responses (n,) of mean zero; 0 where it is negative."""
    centered = predictor - predictor.mean(axis=0)
    size = np.einsum("ng,ng->g", centered, centered) * float(response @ response)
    together = response.astype(centered.dtype) @ centered
    return np.where(together > 0, np.minimum(together.astype(np.float64) ** 2 / np.maximum(size, 1e-30), 1.0), 0.0)


def _fit(r2: FloatArray, points_mm: FloatArray, volumes: FloatArray) -> Fit:
    best = int(np.argmax(r2))
    alike = float(volumes[r2 >= _ALIKE * r2[best]].sum()) / 1000.0
    return Fit(r2, best, points_mm[best].copy(), alike)
