"""The lower bounds are said in two files, and are the same in both."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

#: What conda-forge calls what we need of a package.
CONDA = {"matplotlib-base": "matplotlib", "python-isal": "isal"}


def _bounds(lines):
    pairs = (re.fullmatch(r"([\w.-]+)(?:\[\w+\])? *>=([\w.]+)", line) for line in lines)
    return {CONDA.get(pair[1], pair[1]): pair[2] for pair in pairs if pair}


def test_every_requirement_has_a_lower_bound():
    assert len(_bounds(PROJECT["dependencies"])) == len(PROJECT["dependencies"])
    for lines in PROJECT["optional-dependencies"].values():
        assert len(_bounds(lines)) == sum("efield[" not in line for line in lines)


def test_the_conda_environment_has_every_requirement_with_the_same_bound():
    lines = re.findall(r"^  - (\S+ >=\S+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)
    conda = _bounds(lines)
    extras = PROJECT["optional-dependencies"]
    ours = _bounds([*PROJECT["dependencies"], *extras["test"], *extras["cluster"], *extras["formats"]])
    assert conda.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert {name: ours[name] for name in conda} == conda
    assert set(_bounds(PROJECT["dependencies"])) <= set(conda)
