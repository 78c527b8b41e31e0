"""Pages that each build writes: the help of the commands, the public names, documents of the checkout."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import efield

#: What the names of a room are for, in the order of the page.
ROOMS = {
    "head": "Heads",
    "coils": "Coils and stimulators",
    "targeting": "Simulating",
    "basis": "Many placements: a reduced basis",
    "reciprocity": "Many placements: reciprocity",
    "sweeping": "Many placements: sweeps",
    "planning": "Best placement and uncertainty",
    "dosing": "Outputs and protocols",
    "nav": "Live navigation",
    "viz": "Pictures",
    "io": "Files",
    "ground": "Poses and errors",
}
#: Documents of the checkout that are pages of the site as well.
ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "ARCHITECTURE.md": "architecture",
    "CHANGELOG.md": "changes",
    "CONTRIBUTING.md": "contributing",
    "meshes/README.md": "default-head",
}

#: Names of the face are listed once, with the room that they come from.
FACE = [name for name in efield.__all__ if name != "__version__"]


def command_line() -> str:
    """The help of every command, as Typer writes it down."""
    command = [sys.executable, "-m", "typer", "efield.app.cli", "utils", "docs", "--name", "efield"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return said.replace("# `efield`", "# Command line", 1)


def _table(names: list[str], module: str) -> list[str]:
    lines = [f".. currentmodule:: {module}", "", ".. autosummary::", "   :toctree: api", "   :nosignatures:", ""]
    return [*lines, *(f"   {name}" for name in names), ""]


def _heading(text: str, mark: str) -> list[str]:
    return [text, mark * len(text), ""]


def public_names() -> str:
    """One table for each room: names of ``efield`` itself, then those of the package of that name."""
    homes = {name: getattr(efield, name).__module__.split(".")[1] for name in FACE if name not in ROOMS}
    lines = [*_heading("Python", "="), "``import efield as ef``; each name shows an example that the tests run.", ""]
    for room in [*ROOMS, *sorted(set(homes.values()) - set(ROOMS))]:
        own = [name for name in FACE if homes.get(name) == room]
        more = sorted(importlib.import_module(f"efield.{room}").__all__) if room in FACE else []
        if not own and not more:
            continue
        lines += _heading(ROOMS.get(room, room), "-")
        lines += _table(own, "efield") if own else []
        rest = [name for name in more if name not in own]
        lines += _table(rest, f"efield.{room}") if rest else []
    return "\n".join(lines)


def linked_within(text: str, page: Path) -> str:
    """Markdown of the checkout with its links to files turned to pages of the site; what is no page is only named."""

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match.groups("")
        file = (page.parent / target).resolve()
        name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else ""
        if name in DOCUMENTS:
            return f"[{words}](/generated/{DOCUMENTS[name]}.md{anchor})"
        if file.parent == ROOT / "docs" and file.exists():
            return f"[{words}](/{file.name}{anchor})"
        return words

    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)", link, text)


def _link_within(app: Any, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md" and "generated" not in page.parts:
        source[0] = linked_within(source[0], page)


def _write(path: Path, text: str) -> None:
    """Only where it changes, so that Sphinx reads again what is new."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _write_pages(app: Any, _: Any) -> None:
    folder = Path(app.srcdir) / "generated"
    _write(folder / "cli.md", command_line())
    _write(folder / "python.rst", public_names())
    for document, name in DOCUMENTS.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        _write(folder / f"{name}.md", linked_within(text, ROOT / document))


def setup(app: Any) -> dict[str, bool]:
    """Before Sphinx looks which pages there are."""
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _link_within)
    return {"parallel_read_safe": True}
