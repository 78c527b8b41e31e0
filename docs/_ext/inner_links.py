"""Fails a build whose pages point at a page, a file or a place in a page that is not there. Nothing is fetched.

Sphinx checks what it resolves itself; links that are written as HTML, anchors in pages of the gallery and names of
headings that have changed are seen only in what was written.
"""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import SphinxError


class _Reader(HTMLParser):
    """Where a page points to, and the names of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" or (key == "name" and tag == "a"):
                self.names.add(value or "")
            elif key == "href" or (key == "src" and tag in ("img", "iframe", "source", "video")):
                self.links.append(value or "")


def dead_links(folder: Path) -> list[str]:
    """Links inside a folder of pages that lead nowhere, as ``page: link``."""
    pages = {}
    for path in folder.rglob("*.html"):
        if path.relative_to(folder).parts[0] == "_static":  # a theme's templates
            continue
        pages[path.resolve()] = reader = _Reader()
        reader.feed(path.read_text(encoding="utf-8"))
    found = []
    for path, reader in sorted(pages.items()):
        own = path.relative_to(folder.resolve())
        found += [f"{own}: {link}" for link in sorted(set(reader.links)) if _dead(link, path, pages)]
    return found


def _dead(link: str, page: Path, pages: dict[Path, _Reader]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    to = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    to = to / "index.html" if to.is_dir() else to
    if to not in pages:
        return not to.is_file()
    # "#" and "#top" are the beginning of any page.
    return parts.fragment not in ("", "top") and unquote(parts.fragment) not in pages[to].names


def _check(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    found = dead_links(Path(app.outdir))
    if found:
        raise SphinxError("links inside the site lead nowhere:\n  " + "\n  ".join(found))


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
