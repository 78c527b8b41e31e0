"""A list of names that is shown as a table of what is known of each."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final, overload

from efield.ground.card import LINE, cut

_TABLE: Final = "border-collapse:collapse;font-size:90%;color:inherit"
_CELL: Final = "text-align:left;vertical-align:top;padding:.15em .9em .15em .3em;border:0;color:inherit"

#: A cell of the text is cut here; the table of a notebook has all of it.
_WIDEST: Final = 48


class Listing(Sequence[str]):
    """Names, and a table of them: ``for name in listing``, ``"C3" in listing``, ``listing[0]``.

    Parameters
    ----------
    title : str
    columns : sequence of str
        With units; the first is that of the names.
    rows : sequence of sequences of str
    note : str
        What a reader of the table should know.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
        self.title, self.columns, self.note = title, tuple(columns), note
        self.rows = tuple(tuple(row) for row in rows)

    @overload
    def __getitem__(self, part: int) -> str: ...

    @overload
    def __getitem__(self, part: slice) -> Sequence[str]: ...

    def __getitem__(self, part: int | slice) -> Any:
        """The name at a place, or the names of several."""
        return tuple(row[0] for row in self.rows)[part]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        table = [tuple(cut(cell, _WIDEST) for cell in row) for row in (self.columns, *self.rows)]
        wide = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, wide, strict=True)).rstrip() for row in table]
        return "\n".join([self.title, *lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="{_CELL};opacity:.75">{escape(column)}</th>' for column in self.columns)
        body = "".join(f'<tr style="{LINE}">{_cells(row)}</tr>' for row in self.rows)
        title = f'<caption style="caption-side:top;{_CELL};font-weight:600">{escape(self.title)}</caption>'
        note = f'<div style="opacity:.75;font-size:90%">{escape(self.note)}</div>' if self.note else ""
        return f'<table style="{_TABLE}">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'


def _cells(row: Sequence[str]) -> str:
    """Cells of a row; the name stays on one line."""
    first, *others = row
    name = f'<td style="{_CELL};white-space:nowrap">{escape(first)}</td>'
    return name + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in others)
