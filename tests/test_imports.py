"""Who imports whom, read from the source: no circle at run time, and nobody inside imports the package's face."""

import ast
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import efield

PACKAGE = Path(efield.__file__).parent


def _modules(package):
    """Dotted name of every module below a package's folder, with its file."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def _is_type_checking(test):
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _run_time_imports(node):
    """Import statements below a node, inside functions too, but not those for annotations only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            for other in child.orelse:
                yield from _run_time_imports(ast.Module([other], []))
        else:
            yield from _run_time_imports(child)


def _named(statement, module, is_package):
    """Dotted names that a statement may import: `from a import b` is the module a.b, or b of a."""
    if isinstance(statement, ast.Import):
        return [[alias.name] for alias in statement.names]
    base = statement.module or ""
    if statement.level:
        above = module.split(".")[: None if is_package and statement.level == 1 else -(statement.level - is_package)]
        base = ".".join([*above, *([base] if base else [])])
    return [[f"{base}.{alias.name}", base] for alias in statement.names]


def imports(package):
    """Modules of a package, each with the modules of it that it imports at run time."""
    modules = _modules(package)
    graph = {}
    for name, path in modules.items():
        statements = _run_time_imports(ast.parse(path.read_text(encoding="utf-8")))
        found = (
            next((choice for choice in choices if choice in modules), None)
            for statement in statements
            for choices in _named(statement, name, path.name == "__init__.py")
        )
        graph[name] = {other for other in found if other is not None}
    return graph


def circles(graph):
    """Groups of modules each of which reaches all others of its group by imports."""
    names = sorted(graph)
    places = {name: i for i, name in enumerate(names)}
    edges = [(places[a], places[b]) for a in names for b in graph[a] if a != b]
    rows, columns = np.array(edges, int).reshape(-1, 2).T
    matrix = csr_array((np.ones(len(edges)), (rows, columns)), shape=(len(names), len(names)))
    count, group = connected_components(matrix, directed=True, connection="strong")
    groups = [[name for name, of in zip(names, group, strict=True) if of == g] for g in range(count)]
    return [members for members in groups if len(members) > 1]


@pytest.fixture(scope="module")
def ours():
    """Our modules, each with those that it imports."""
    return imports(PACKAGE)


def test_no_module_reaches_itself_by_imports(ours):
    assert circles(ours) == []


def test_nobody_inside_imports_the_package_itself(ours):
    assert [name for name, others in ours.items() if "efield" in others] == []


@pytest.fixture
def written(tmp_path):
    """Writes a package `efield` of two modules, and returns its folder."""

    def write(first, second):
        folder = tmp_path / "efield"
        folder.mkdir()
        for name, text in {"__init__": "", "first": first, "second": second}.items():
            (folder / f"{name}.py").write_text(text)
        return folder

    return write


@pytest.mark.parametrize(
    "second",
    [
        "import efield.first",
        "from efield import first",
        "from . import first",
        "from .first import f",
        "def g():\n    from efield.first import f",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import efield.first",
    ],
)
def test_a_circle_is_found_however_it_is_written(written, second):
    graph = imports(written("from efield.second import g", second))
    assert circles(graph) == [["efield.first", "efield.second"]]


def test_an_import_for_annotations_closes_no_circle(written):
    only_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from efield.first import f"
    assert circles(imports(written("from efield.second import g", only_types))) == []


@pytest.mark.parametrize("second", ["import efield", "from efield import __version__", "def f():\n    import efield"])
def test_an_import_of_the_face_is_found(written, second):
    assert "efield" in imports(written("", second))["efield.second"]
