"""Two fields beside each other, and their difference."""

from typing import Unpack

from matplotlib.figure import Figure

from efield.targeting.field import EField
from efield.targeting.naming import Place
from efield.viz.scene import Scene
from efield.viz.sheet import PageOptions, Panel, sheet_figure
from efield.viz.views import View


def compare_fields(
    first: EField,
    second: EField,
    target: Place | None = None,
    *,
    names: tuple[str, str] = ("first", "second"),
    view: str | View = "target",
    **page: Unpack[PageOptions],
) -> Figure:
    """Two fields in one head side by side, on one scale, and |E| of the second less that of the first.

    Parameters
    ----------
    first, second : EField
        Of the same head.
    target : Target, str or (3,) array_like, optional
    names : (str, str)
        What they are, above the panels.
    view : str or View
    **page
        ``width_mm``, ``dpi``, ``theme`` and ``title``, as in `efield.viz.sheet.sheet_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig(path, dpi=figure.dpi)`` writes it.

    Raises
    ------
    InputError
        If the fields are of two heads.
    """
    base = Scene(first.head).target(target) if target is not None else Scene(first.head)
    limit = max(base.cortex(field).scales[0].high for field in (first, second))
    one, other = (base.cortex(field, limit=limit).arrows() for field in (first, second))
    difference = base.difference(first, second, f"|E|: {names[1]} less {names[0]}")
    panels = [Panel(one, view, names[0]), Panel(other, view, names[1]), Panel(difference, view, "difference")]
    return sheet_figure(panels, **page)
