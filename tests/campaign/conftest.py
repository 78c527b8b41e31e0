"""A head of 1,415 nodes, a coil of two dipoles, studies of them, and a runner that needs no physics."""

import hashlib
import os
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from efield.campaign.compute import Result
from efield.campaign.plan import read_study
from efield.campaign.run import run
from efield.coils.model import Coil
from efield.head.spheres import sphere_head
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head


@pytest.fixture(autouse=True, scope="module")
def small_heads(one_thread):
    """Here all are."""


STUDY = """
title = "small"
[heads]
a = "{files}/sphere.msh"
b = {{ path = "{files}/sphere.msh", conductivity = {{ bone = 0.02 }} }}
[coils]
two = "{files}/two.ccd"
[targets]
hand = {{ name = "m1-hand-left", radius_mm = 20 }}
[grid]
radius_mm = 6
spacing_mm = 6
angles_deg = {{ start = 0, stop = 135, step = 45 }}
[drive]
didt = [1e6, -5e7]
[output]
folder = "out"
chunk = 8
"""


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Folder with the head and the coil."""
    folder = tmp_path_factory.mktemp("files")
    write_head(folder / "sphere.msh", sphere_head(edge_mm=20.0))
    write_ccd(folder / "two.ccd", Coil.from_dipoles([[-30, 0, -8], [30, 0, -8]], [[0, 0, 5], [0, 0, -5]]))
    return folder


@pytest.fixture
def study_file(tmp_path, files):
    """Writes the small study, with replacements in its text, and returns its path."""

    def write(*replacements, name="study.toml"):
        text = STUDY.format(files=files)
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def study(study_file):
    return read_study(study_file())


def made_up(store, chunk):
    """Arrays that depend on the chunk only."""
    seed = int.from_bytes(hashlib.sha256(chunk.name.encode()).digest()[:4], "big")
    rng = np.random.default_rng(seed)
    arrays = {}
    for variable in store.variables:
        if variable.of(chunk):
            shape = np.empty(variable.shape, np.int8)[variable.index(chunk)].shape
            arrays[variable.name] = rng.integers(0, 1000, shape).astype(variable.dtype)
    facts = store.facts.heads[chunk.cell.head]
    made_of = {"head": facts.digest, "conductivity": facts.conductivity, "coil": store.facts.coils[chunk.cell.coil]}
    made_of |= {"target": facts.targets[chunk.cell.target].digest, "route": "exact"}
    return Result(arrays, made_of)


class Pretend:
    """A runner without physics that remembers which chunks it computed, and can be told to fail."""

    def __init__(self):
        self.names = []
        self.refused = ()

    def __call__(self, store, chunks, ear):
        for chunk in chunks:
            self.names.append(chunk.name)
            if chunk.name in self.refused:
                yield chunk, None, "it would not converge", ("test", 0)
            else:
                yield chunk, made_up(store, chunk), "", ("test", 1)


@pytest.fixture
def pretend():
    return Pretend()


@pytest.fixture(scope="session")
def _whole(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "study.toml").write_text(STUDY.format(files=files))
    run(read_study(folder / "study.toml", folder / "whole"), Pretend())
    return folder / "whole"


@pytest.fixture
def whole(_whole, tmp_path):
    """A complete store of the small study, made without physics."""
    return Path(copytree(_whole, tmp_path / "whole"))


@pytest.fixture(scope="session")
def contents():
    """Every file below a folder, with its bytes."""
    return lambda folder: {
        str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing that would run after it runs."""


@pytest.fixture
def killed_at(monkeypatch):
    """Lets a process die at its n-th step that touches the disk, before or after the step."""
    steps = [(os, "replace"), (os, "rename"), (os, "fsync"), (os, "mkdir"), (os, "unlink")]

    def arm(count, after):
        left = [count]

        def deadly(original):
            def step(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                if left[0] == 0 and not after:
                    raise Killed
                result = original(*arguments, **options)
                if left[0] == 0:
                    raise Killed
                return result

            return step

        for module, name in steps:
            monkeypatch.setattr(module, name, deadly(getattr(module, name)))

    return arm
