"""What was done, as pictures: drift and field over the session, the responses' curve, and maps on the cortex."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.delivered.pulses import Pulses
from efield.viz import palette
from efield.viz.page import LABEL_PT, label_axes, new_page
from efield.viz.scene import Scene
from efield.viz.sheet import Panel, sheet_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE: Final = (2160, 1240)

#: How the share of variance is called in a picture.
_R2: Final = "R² of the responses"


def recording_figure(done: Pulses, title: str = "") -> "Figure":
    """Drift and the field at the target over the session; beside them, where there are responses, their curve.

    Parameters
    ----------
    done : Pulses
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    words = title or f"{len(done)} pulses of {done.coil.name} at {done.target.name}"
    page = new_page(SIZE, words)
    width = 0.86 if done.localization is None else 0.43
    over = [page.add_axes((0.075, bottom, width, 0.24)) for bottom in (0.65, 0.375, 0.10)]
    _draw_course(over, done)
    if done.localization is not None:
        _draw_responses(page.add_axes((0.60, 0.10, 0.385, 0.79)), done)
    return page


def recording_maps(done: Pulses, **options: Any) -> "Figure":
    """The mean of |E| on the cortex, and what it explains of the responses; needs OpenGL.

    Parameters
    ----------
    done : Pulses
    **options
        As `efield.viz.sheet.sheet_figure` takes them.

    Raises
    ------
    MissingDependencyError
        If this machine has no OpenGL.
    """
    base = Scene(done.head)
    mean = base.painted(done.at_nodes("mean"), "mean |E|", "V/m").target(done.target)
    panels = [Panel(mean, "head", f"mean of {len(done)} pulses"), Panel(mean, "target", f"at {done.target.name}")]
    if done.localization is not None:
        r2 = base.painted(done.at_nodes("r2"), _R2).target(done.localization.sigmoid.place_mm)
        panels.append(Panel(r2, "target", "where responses come from"))
    return sheet_figure(panels, **options)


def _draw_course(axes: list[Any], done: Pulses) -> None:
    time, label = _time(done)
    table = done.table
    rows = (("off_mm", "off (mm)"), ("off_deg", "turned (deg)"), ("mean_magnitude", "mean |E| (V/m)"))
    for one, (name, words) in zip(axes, rows, strict=True):
        one.plot(time, table[name].values, "-", lw=0.3, color=palette.INK)
        one.plot(time, table[name].values, ".", ms=3, color=palette.INK, clip_on=False)
        one.margins(x=0.01)
        one.set_ylim(bottom=0.0)
        label_axes(one, "", words)
        if one is not axes[-1]:
            one.tick_params(labelbottom=False)
    axes[0].set_title(f"from {done.reference}; below, the field at {done.target.name}", fontsize=LABEL_PT, pad=4)
    axes[-1].set_xlabel(label, fontsize=LABEL_PT)


def _draw_responses(axes: Any, done: Pulses) -> None:
    found = done.localization
    assert found is not None  # noqa: S101 - asked by those who have looked
    axes.plot(found.magnitude, found.amplitude / 1000.0, ".", ms=4, color=palette.COIL_COLOR)
    along = np.linspace(found.magnitude.min(), found.magnitude.max(), 200)
    axes.plot(along, found.predicted(along) / 1000.0, color=palette.INK, lw=1.2)
    where = ", ".join(f"{value:.0f}" for value in found.sigmoid.place_mm)
    axes.set_title(f"R² {found.sigmoid.largest:.2f} at ({where}) mm", fontsize=LABEL_PT, pad=4)
    label_axes(axes, "|E| there (V/m)", "response (mV)")


def _time(done: Pulses) -> tuple[NDArray[np.float64], str]:
    known = done.recording.columns.get("time_s")
    if known is None or not np.isfinite(known).all():
        return np.arange(1.0, len(done) + 1), "pulse"
    return (known - known[0]) / 60.0, "time (min)"
