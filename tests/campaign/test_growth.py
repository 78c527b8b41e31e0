"""A study may grow: what it has in common with the one before is not computed again, and it ends in the same bytes."""

import time
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from efield.campaign.costs import kept as need_not
from efield.campaign.files import POTENTIALS
from efield.campaign.integrity import check
from efield.campaign.plan import read_study
from efield.campaign.routes import Routes
from efield.campaign.run import ChunkError, run
from efield.campaign.store import left
from efield.campaign.survey import survey
from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.io.coils.ccd import write_ccd
from efield.reciprocity import currents
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.grid import PlacementGrid
from efield.targeting import prepared, simulate

HEAD = ("[coils]", 'c = { path = "FILES/sphere.msh", conductivity = { bone = 0.03 } }\n[coils]')
COIL = ('two = "', 'four = "FILES/four.ccd"\ntwo = "')
ANGLES = ("step = 45", "step = 22.5")
POSITIONS = ("radius_mm = 6", "radius_mm = 9")
CHUNKS = ("chunk = 8", "chunk = 21")

#: What is added, and how many placements have to be computed of how many.
GROWN = {
    "a head": ((HEAD,), 20),
    "a coil before the first": ((COIL,), 40),
    "angles between the others": ((ANGLES,), 30),
    "positions around the others": ((POSITIONS,), 32),
    "larger chunks": ((CHUNKS,), 0),
    "all at once": ((HEAD, COIL, ANGLES, POSITIONS, CHUNKS), 3 * 2 * 9 * 7 - 40),
}
_ALWAYS = ("larger chunks", "all at once")


@pytest.fixture(scope="module", autouse=True)
def four(files):
    """Another coil."""
    write_ccd(files / "four.ccd", Coil.from_dipoles([[-20, 0, -8], [20, 0, -8]], [[0, 0, 4], [0, 0, -6]]))


@pytest.fixture
def grown(study_file, files):
    """The small study with something more, for some output folder."""

    def make(changes, out, name="grown.toml"):
        text = [(old, new.replace("FILES", str(files))) for old, new in changes]
        return read_study(study_file(*text, name=name), out)

    return make


class Counting:
    """Runs a study and counts the placements that are computed; the numbers are those of the pose and the coil."""

    def __init__(self):
        self.placements = 0

    def __call__(self, store, chunks, ear):
        for chunk in chunks:
            missing = store.missing(chunk)
            numbers = chunk.first + (np.arange(chunk.count) if missing is None else missing)
            self.placements += len(numbers)
            yield chunk, _result(store, chunk, numbers), "", ("test", 1)


def _result(store, chunk, numbers):
    from efield.campaign.compute import Result

    study, facts, cell = store.study, store.facts, chunk.cell
    known = study.grid.coordinates()
    value = known["u_mm"][numbers] + 100 * known["v_mm"][numbers] + 1e4 * known["angle_deg"][numbers]
    salt = int((facts.heads[cell.head].conductivity + facts.coils[cell.coil])[:6], 16)
    arrays = {}
    for variable in store.variables:
        if variable.of(chunk):
            shape = list(variable.shape_of(chunk))
            if (axis := variable.placement_axis) is None:
                arrays[variable.name] = np.full(shape, 7.0 + salt)
                continue
            shape[axis] = len(numbers)
            rows = np.moveaxis(np.zeros(shape), axis, 0)
            rows += np.reshape(value + salt, (-1,) + (1,) * (len(shape) - 1))
            arrays[variable.name] = np.moveaxis(rows, 0, axis)
    made_of = {"head": facts.heads[cell.head].digest, "conductivity": facts.heads[cell.head].conductivity}
    made_of |= {"coil": facts.coils[cell.coil], "target": facts.heads[cell.head].targets[cell.target].digest}
    return Result(arrays, made_of | {"route": "exact"})


@pytest.fixture(scope="module")
def _small(files, tmp_path_factory):
    from tests.campaign.conftest import STUDY

    folder = tmp_path_factory.mktemp("small")
    (folder / "study.toml").write_text(STUDY.format(files=files))
    run(read_study(folder / "study.toml", folder / "out"), Counting())
    return folder / "out"


@pytest.fixture
def small(_small, tmp_path):
    """A finished store of the small study."""
    return Path(copytree(_small, tmp_path / "small"))


@pytest.mark.parametrize(
    "case", [case if case in _ALWAYS else pytest.param(case, marks=pytest.mark.thorough) for case in GROWN]
)
def test_a_grown_study_computes_what_is_new_and_ends_in_the_bytes_of_a_fresh_run(
    small, grown, tmp_path, contents, case
):
    changes, new = GROWN[case]
    run(grown(changes, tmp_path / "fresh"), Counting())
    study, counting = grown(changes, small), Counting()
    assert sum(chunk.count for chunk in left(study, survey(study))) == new
    run(study, counting)
    assert counting.placements == new
    assert contents(small) == contents(tmp_path / "fresh")
    assert check(small).good


def test_a_study_that_grows_twice_before_it_is_finished_loses_nothing(small, grown, tmp_path, contents):
    class Stopped(Counting):
        def __call__(self, store, chunks, ear):
            yield from super().__call__(store, chunks[:2], ear)
            yield chunks[2], None, "stopped", ("test", 1)

    first = Stopped()
    with pytest.raises(ChunkError):
        run(grown((ANGLES,), small), first)
    everything, counting = (ANGLES, HEAD, CHUNKS), Counting()
    run(grown(everything, small), counting)
    study = grown(everything, tmp_path / "fresh")
    assert first.placements + counting.placements == len(study.cells) * study.count - 40
    run(study, Counting())
    assert contents(small) == contents(tmp_path / "fresh")


def test_killed_while_it_grows_it_ends_with_the_same_bytes(small, grown, tmp_path, killed_at, monkeypatch, contents):
    changes = (ANGLES,)
    run(grown(changes, tmp_path / "fresh"), Counting())
    study, expected = grown(changes, small), contents(tmp_path / "fresh")
    for number, count in enumerate(range(1, 800, 23)):
        killed_at(count, after=number % 2 == 0)
        try:
            run(study, Counting())
        except BaseException as error:
            if type(error).__name__ != "Killed":
                raise
            time.sleep(0.02)
        else:
            break
        finally:
            monkeypatch.undo()
    assert number > 5
    assert contents(small) == expected


def test_what_was_damaged_before_it_grew_is_computed_again(small, grown, tmp_path, contents):
    file = small / "sweep.zarr/along/c/1/0/0/0/1"
    file.write_bytes(file.read_bytes()[::-1])
    run(grown((ANGLES,), tmp_path / "fresh"), Counting())
    counting = Counting()
    run(grown((ANGLES,), small), counting)
    assert counting.placements == 30 + 8 + 40 - 40
    assert contents(small) == contents(tmp_path / "fresh")


LOST = {
    "a head": (('a = "', 'z = "'), "the results of a.hand.two would be lost"),
    "angles": (("stop = 135", "stop = 90"), "placements of a.hand.two would be lost"),
    "a target": (("radius_mm = 20", "radius_mm = 19"), "the results of a.hand.two would be lost"),
    "a drive": (("[1e6, -5e7]", "[1e6]"), "drive.values was"),
}


@pytest.mark.parametrize("case", LOST)
def test_what_is_finished_is_never_dropped(small, grown, contents, case):
    change, words = LOST[case]
    before = contents(small)
    study = grown((change,), small)
    with pytest.raises(InputError, match=words):
        left(study, survey(study))
    with pytest.raises(InputError, match=words):
        run(study, Counting())
    assert contents(small) == before


def test_a_grid_lays_a_part_of_it_as_it_lays_the_whole(head, target, coil):
    others = {"spacing_mm": 4, "tilts_deg": ((0, 0), (4, 2)), "distances_mm": (4, 6)}
    grid = PlacementGrid(radius_mm=8, angles_deg=(0, 45), **others)
    whole = grid.on(head, target, coil)
    most = PlacementGrid(radius_mm=12, angles_deg=(0, 30, 45), **others).on(head, target, coil)
    part = grid.on(head, target, coil, numbers=np.array([7, 3, 60]))
    assert part.matrices.tobytes() == whole.matrices[[7, 3, 60]].tobytes()
    assert part.coordinates["lifted_mm"].tobytes() == whole.coordinates["lifted_mm"][[7, 3, 60]].tobytes()
    poses = {matrix.tobytes() for matrix in most.matrices}
    assert all(matrix.tobytes() in poses for matrix in whole.matrices)


FULL = ("[output]", "[output]\nfields = true")
FEW = ("stop = 135", "stop = 45")
RECIPROCAL = ("[drive]", '[engine]\nkind = "reciprocal"\n[drive]')


def test_the_numbers_of_a_grown_study_are_those_of_a_fresh_one_to_the_last_bit(grown, tmp_path, contents):
    out, fresh = tmp_path / "grown", tmp_path / "fresh"
    run(grown((FULL, FEW), out))
    outcome = run(grown((FULL, FEW, ANGLES, COIL), out))
    run(grown((FULL, FEW, ANGLES, COIL), fresh))
    assert (outcome.taken_over, outcome.chunks) == (0, 8)
    assert contents(out) == contents(fresh)


@pytest.fixture
def solves(monkeypatch):
    """Counts adjoint solves."""
    made, solve = [], currents.adjoint_weights
    monkeypatch.setattr(currents, "adjoint_weights", lambda *given, **more: made.append(1) or solve(*given, **more))
    return made


def test_adjoint_currents_are_kept_between_runs_and_used_for_the_same_only(grown, tmp_path, contents, solves):
    out = tmp_path / "out"
    run(grown((RECIPROCAL, FEW), out))
    assert len(solves) == 2
    kept = sorted((out / POTENTIALS).rglob("*.arrays"))
    assert [path.parent.name for path in kept] == ["a.hand", "b.hand"]
    run(grown((RECIPROCAL, FEW, ANGLES), out))
    assert len(solves) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    spot = ("[grid]", "spot = { center_mm = [-40, 10, 60], radius_mm = 20 }\n[grid]")
    run(grown((RECIPROCAL, FEW, ANGLES, spot), out))
    # Those of the new target, on both heads; nothing was left to compute of the damaged one.
    assert len(solves) == 4
    run(grown((RECIPROCAL, FEW, ANGLES, spot, COIL), out))
    assert len(solves) == 5
    run(grown((RECIPROCAL, FEW, ANGLES, spot, COIL), tmp_path / "fresh"))
    assert contents(out) == contents(tmp_path / "fresh")


def test_what_is_stored_of_a_coil_is_kept_between_runs(grown, files, tmp_path, contents, monkeypatch):
    made, store = [], prepared.compress.__wrapped__
    monkeypatch.setattr(prepared, "compress", lambda coil: made.append(1) or store(coil))
    monkeypatch.setattr(simulate, "_POINTS_TO_STORE", 0)
    write_ccd(files / "far.ccd", Coil.from_dipoles([[0, 0, -40]], [[0, 0, 9]]))
    far, out = ("/two.ccd", "/far.ccd"), tmp_path / "out"

    def ran(changes, folder):
        prepared.prepared_coil.cache_clear()
        return run(grown((FEW, *changes), folder))

    assert ("compress", 0) not in need_not(Routes(grown((far,), out)), out)
    ran((far,), out)
    assert ("compress", 0) in need_not(Routes(grown((far,), out)), out)
    ran((far, ANGLES), out)
    assert len(made) == 1
    ran((far, ANGLES), tmp_path / "fresh")
    assert len(made) == 2
    assert contents(out) == contents(tmp_path / "fresh")


def test_currents_of_another_conductivity_target_or_version_are_not_used(sim, target, tmp_path, solves, monkeypatch):
    from dataclasses import replace

    from efield.io import kept
    from efield.targeting.simulate import Simulator

    def found(sim, target):
        return reciprocal(sim, target, cache=tmp_path).currents

    first = found(sim, target)
    assert found(sim, target).tobytes() == first.tobytes()
    assert len(solves) == 1
    found(sim, replace(target, radius_mm=0.9 * target.radius_mm))
    found(Simulator(sim.head, {"bone": 0.03}, solver="multigrid"), target)
    monkeypatch.setattr(kept, "version", lambda name: "0.0")
    found(sim, target)
    assert len(solves) == 4


#: Bases of a few solves: of what they cover it matters only how far it reaches.
REDUCED = (
    ("[drive]", '[engine]\nkind = "reduced"\nmax_solves = 64\nbasis_tol = 0.2\nregion_radius_mm = 22\n[drive]'),
    ("b = {", "# b = {"),
)
FINER = ("spacing_mm = 6", "spacing_mm = 3")


@pytest.fixture(scope="module")
def _reduced(files, tmp_path_factory):
    """A finished study of one basis."""
    from tests.campaign.conftest import STUDY

    folder, text = tmp_path_factory.mktemp("reduced"), STUDY.format(files=files)
    for old, new in REDUCED:
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text)
    run(read_study(folder / "study.toml", folder / "out"))
    return folder / "out"


@pytest.fixture
def reduced(_reduced, tmp_path):
    return Path(copytree(_reduced, tmp_path / "reduced"))


def test_a_reduced_study_that_grows_within_its_basis_uses_it_as_it_is(reduced, grown, tmp_path, contents):
    within = (*REDUCED, ANGLES, FINER, CHUNKS)
    bases = {name: data for name, data in contents(reduced).items() if name.startswith("bases")}
    outcome = run(grown(within, reduced))
    assert outcome.chunks > 0
    assert check(reduced).good
    after = contents(reduced)
    assert bases.items() <= after.items()
    # Begun large it builds the same basis, and ends in the same bytes.
    run(grown(within, tmp_path / "fresh"))
    assert after == contents(tmp_path / "fresh")


def test_a_second_coil_gets_a_basis_of_its_own(reduced, grown, contents):
    bases = {name: data for name, data in contents(reduced).items() if name.startswith("bases")}
    run(grown((*REDUCED, COIL), reduced))
    assert check(reduced).good
    assert {path.name for path in (reduced / "bases").iterdir()} == {"a.hand.two", "a.hand.four"}
    assert bases.items() <= contents(reduced).items()


BEYOND = {
    "a larger radius": POSITIONS,
    "another distance": ("spacing_mm = 6", "spacing_mm = 6\ndistances_mm = [4, 6]"),
    "another tilt": ("spacing_mm = 6", "spacing_mm = 6\ntilts_deg = [[0, 0], [5, 0]]"),
}


@pytest.mark.parametrize("case", BEYOND)
def test_a_reduced_study_that_outgrows_its_basis_is_refused(reduced, grown, contents, case):
    before = contents(reduced)
    study = grown((*REDUCED, BEYOND[case]), reduced)
    with pytest.raises(InputError, match=r"a\.hand\.two would be lost"):
        run(study)
    assert contents(reduced) == before
