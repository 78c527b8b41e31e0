"""What to install to have the lowest releases that `pyproject.toml` allows: `python .ci/lowest.py > lowest.txt`.

One line `name==bound` for each requirement of the package and of its tests. What those need in turn is the newest that
fits.
"""

import re
import tomllib
from pathlib import Path

#: Extras that the tests need.
EXTRAS = ("test", "cluster", "formats", "live")


def lowest(project: dict) -> list[str]:
    """Pinned requirements; one without a lower bound is an error."""
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in EXTRAS for line in extras[name])]
    return [_pinned(line) for line in wanted if not line.startswith("efield[")]


def _pinned(line: str) -> str:
    match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", line)
    if match is None:
        raise SystemExit(
            f"a requirement must read name>=version; instead: {line}; write its lower bound in pyproject.toml"
        )
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    file = Path(__file__).resolve().parent.parent / "pyproject.toml"
    print("\n".join(lowest(tomllib.loads(file.read_text(encoding="utf-8"))["project"])))
