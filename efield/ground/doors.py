"""Doors of a package: public names, each brought from the file that holds it when it is first asked for (PEP 562).

A stub, ``__init__.pyi`` beside the package's ``__init__.py``, says which names there are and whence they come, once for
type checkers, editors and run time, as in SPEC 1 of scientific Python (https://scientific-python.org/specs/spec-0001/).
"""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def doors(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package that imports nothing until it must.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    file : str
        Its ``__file__``. In the stub beside it each line ``from HOME import NAME as NAME`` is a public name; a package
        inside this one is public by ``from package import NAME as NAME``.
    """
    stub = Path(file).with_name("__init__.pyi").read_text(encoding="utf-8")
    homes = {name: home for home, name in re.findall(r"^from (\S+) import (\w+)", stub, re.MULTILINE)}

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:
            return import_module(f"{package}.{name}")
        return getattr(import_module(homes[name]), name)

    names = sorted(homes)
    return attribute, lambda: names, names
