"""A store survives being killed at any step, tells damage from work that is left, and has one writer at a time."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from shutil import copyfile, rmtree

import numpy as np
import pyarrow.parquet
import pytest
import xarray

from efield.campaign import disk
from efield.campaign import store as stores
from efield.campaign import study as studies
from efield.campaign.estimate import estimate
from efield.campaign.integrity import check, repair
from efield.campaign.lock import Lock
from efield.campaign.plan import read_study
from efield.campaign.run import ChunkError, run
from efield.campaign.store import reading, writing
from efield.campaign.survey import survey
from efield.coils.model import Coil
from efield.ground.errors import FileFormatError, InputError
from efield.head.spheres import sphere_head
from efield.io import sealed
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from tests.campaign.conftest import Killed, made_up


def test_killed_at_any_step_it_ends_with_the_same_bytes(study, whole, pretend, killed_at, monkeypatch, contents):
    expected, out = contents(whole), Path(study.output)
    # Every step of the first chunks and of the tables would take long; a stride that is prime to their pattern.
    for number, count in enumerate(range(1, 400, 7)):
        killed_at(count, after=number % 2 == 0)
        try:
            run(study, pretend)
        except Killed:
            # Zarr's threads outlive this exception, which they would not outlive a real kill: they must meet the
            # deadly steps before those are taken away.
            time.sleep(0.05)
        else:
            break
        finally:
            monkeypatch.undo()
    else:
        pytest.fail("a run had more steps than were tried")
    assert contents(out) == expected
    assert number > 5


def test_a_head_with_other_conductivities_is_loaded_once(study, monkeypatch):
    made, load = [], studies.load_head
    monkeypatch.setattr(studies, "load_head", lambda source: made.append(source) or load(source))
    one, other = survey(study).heads
    assert len(made) == 1
    assert one.digest == other.digest
    assert one.conductivity != other.conductivity


def test_finished_chunks_are_not_computed_again(study, pretend):
    pretend.refused = ("0-0-0-000001", "1-0-0-000002")
    with pytest.raises(ChunkError, match="0-0-0-000001"):
        run(study, pretend)
    pretend.names.clear()
    pretend.refused = ()
    outcome = run(study, pretend)
    assert pretend.names == ["0-0-0-000001", "1-0-0-000002"]
    assert (outcome.chunks, outcome.found, outcome.computed) == (6, 4, 2)
    pretend.names.clear()
    assert run(study, pretend).found == 6
    assert pretend.names == []


def test_what_is_not_finished_is_nan_for_readers(study, pretend):
    pretend.refused = ("0-0-0-000001",)
    with pytest.raises(ChunkError):
        run(study, pretend)
    with xarray.open_zarr(Path(study.output) / "sweep.zarr", chunks=None) as data:
        missing = data.mean_magnitude.isnull().isel(coil=0, target=0, didt=0).values
    assert missing[0].nonzero()[0].tolist() == list(range(8, 16))
    assert not missing[1].any()


def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "a flipped bit in a chunk": (lambda out: flip(out / "sweep.zarr/along/c/1/0/0/0/2"), "1-0-0-000002"),
    "a lost file": (lambda out: (out / "sweep.zarr/pose/c/0/0/0/1/0/0").unlink(), "0-0-0-000001"),
    "a truncated file": (lambda out: os.truncate(out / "sweep.zarr/across/c/0/0/0/0/0", 5), "0-0-0-000000"),
    "an empty marker": (lambda out: os.truncate(out / "chunks/0-0-0-000002.json", 0), "0-0-0-000002"),
    "metadata": (lambda out: flip(out / "sweep.zarr/along/zarr.json", 50), "along/zarr.json"),
    "a coordinate": (lambda out: flip(out / "sweep.zarr/angle_deg/c/0"), "angle_deg/c/0"),
    "what a chunk was made of": (lambda out: flip(out / "chunks/1-0-0-000001.json", -90), "1-0-0-000001"),
    "the file of another chunk": (
        lambda out: copyfile(out / "sweep.zarr/along/c/0/0/0/0/1", out / "sweep.zarr/along/c/0/0/0/0/2"),
        "0-0-0-000002",
    ),
    "a table": (lambda out: flip(out / "table.csv", 100), "damaged"),
}


def test_readers_that_do_not_ask_us_meet_an_error_and_no_other_number_where_a_bit_flipped(whole):
    """By Zarr's own checksums; a lost file is nan to them, and that of another chunk passes: the markers see those."""
    file = whole / "sweep.zarr/along/c/0/0/0/0/1"
    good = file.read_bytes()
    with xarray.open_dataset(whole / "sweep.zarr", engine="zarr", cache=False) as data:
        expected = data.along.values
        for bit in range(0, 8 * len(good), 7):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            file.write_bytes(bad)
            try:
                found = data.along.values
            except RuntimeError:
                continue
            assert np.array_equal(found, expected)


def test_a_study_that_means_something_else_to_this_version_is_refused(whole):
    note = json.loads((whole / "study.json").read_text())
    note["settings"]["engine.tol"] = 1e-3
    del note["format"], note["seal"]
    sealed.write_note(whole / "study.json", note, version=3)
    with pytest.raises(FileFormatError, match="use version"):
        reading(whole)


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_found_and_repaired_to_the_same_bytes(whole, pretend, contents, case):
    hurt, where = DAMAGE[case]
    expected = contents(whole)
    assert check(whole).good
    hurt(whole)
    condition = check(whole)
    assert not condition.good
    assert where in [*condition.damaged, *condition.metadata, condition.tables]
    repair(whole, pretend)
    assert pretend.names == list(condition.damaged)
    assert contents(whole) == expected
    assert check(whole).good


def test_a_run_stops_at_damage_and_says_how_to_repair(study_file, whole, pretend):
    flip(whole / "sweep.zarr/along/c/1/0/0/0/2")
    with pytest.raises(InputError, match=r"1-0-0-000002.*--repair"):
        run(read_study(study_file(), whole), pretend)
    assert pretend.names == []


def test_a_full_disk_costs_nothing_that_was_finished(study, whole, pretend, contents, monkeypatch):
    settle, calls = stores.settle_file, []

    def full(path):
        calls.append(path)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        settle(path)

    monkeypatch.setattr(stores, "settle_file", full)
    with pytest.raises(disk.DiskFullError, match=r"No space left.*same command"):
        run(study, pretend)
    monkeypatch.undo()
    assert check(study.output).good
    run(study, pretend)
    assert contents(study.output) == contents(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_file_that_may_not_grow_is_reported_like_a_full_disk(study, pretend):
    import resource

    with writing(study) as store:
        chunk = store.pending()[0]
        result = next(pretend(store, [chunk], None))[1]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        try:
            with pytest.raises(disk.DiskFullError, match="room"):
                store.write(chunk, result.arrays, result.made_of)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert chunk in store.pending()
        store.write(chunk, result.arrays, result.made_of)
        assert chunk not in store.pending()
    assert check(study.output).good


def test_a_second_writer_is_refused(study, pretend):
    with writing(study), pytest.raises(InputError, match="one process"):
        run(study, pretend)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_the_lock_of_a_killed_process_does_not_block(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from efield.campaign.lock import Lock\n"
        "with Lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="one process"), Lock(path):
            pass
        holder.kill()
    with Lock(path):
        pass


CHANGES = {
    "the grid": (("radius_mm = 6", "radius_mm = 5"), "grid.radius_mm was 6.0, is 5.0), and placements of a.hand.two"),
    "a conductivity": (("bone = 0.02", "bone = 0.03"), "heads.b"),
    "the drives": (("[1e6, -5e7]", "[1e6]"), "drive.values"),
    "a label": (('two = "', 'three = "'), "coils.three"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_study_is_refused_with_what_changed(study_file, whole, pretend, contents, case):
    change, words = CHANGES[case]
    before = contents(whole)
    with pytest.raises(InputError, match=re.escape(words)):
        run(read_study(study_file(change), whole), pretend)
    assert contents(whole) == before


def test_a_changed_coil_file_is_refused(study_file, pretend, files, tmp_path):
    copy = tmp_path / "copy.ccd"
    copy.write_bytes((files / "two.ccd").read_bytes())
    path, out = study_file((f"{files}/two.ccd", str(copy))), tmp_path / "other"
    run(read_study(path, out), pretend)
    write_ccd(copy, Coil.from_dipoles([[-30, 0, -8], [30, 0, -8]], [[0, 0, 5], [0, 0, -6]]))
    with pytest.raises(InputError, match=r"coils\.two \(its file\)"):
        run(read_study(path, out), pretend)


def test_a_result_of_another_head_is_refused(study, pretend):
    def other(store, chunks, ear):
        for chunk, result, error, who in pretend(store, chunks, ear):
            result.made_of["head"] = "0" * 32
            yield chunk, result, error, who

    with pytest.raises(InputError, match=r"a\.hand\.two .* its head changed"):
        run(study, other)


def test_folders_of_others_are_left_alone(study, pretend):
    out = Path(study.output)
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds thesis\.txt"):
        run(study, pretend)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    with pytest.raises(FileFormatError, match=r"it has no study\.json"):
        check(out)


def test_a_head_file_that_changed_is_refused_also_when_all_is_finished(study_file, pretend, files, tmp_path):
    copy = tmp_path / "copy.msh"
    copy.write_bytes((files / "sphere.msh").read_bytes())
    path, out = study_file((f'a = "{files}/sphere.msh"', f'a = "{copy}"')), tmp_path / "other"
    run(read_study(path, out), pretend)
    write_head(copy, sphere_head(edge_mm=19.0))
    with pytest.raises(InputError, match="head a must be as it was"):
        run(read_study(path, out), pretend)


def test_a_result_at_another_place_is_refused(study, pretend):
    def other(store, chunks, ear):
        for chunk, result, error, who in pretend(store, chunks, ear):
            result.made_of["target"] = "0" * 32
            yield chunk, result, error, who

    with pytest.raises(InputError, match=r"a\.hand\.two .* its target changed"):
        run(study, other)


NOTES = {
    "cut": lambda note: os.truncate(note, 500),
    "without its parts": lambda note: note.write_text('{"format": 3}'),
    "with another number": lambda note: note.write_text(
        note.read_text().replace('"radius_mm": 20', '"radius_mm": 21', 1)
    ),
    "with a part that is no survey": lambda note: note.write_text(note.read_text().replace('"tets"', '"tots"', 1)),
}


@pytest.mark.parametrize("case", NOTES)
def test_a_damaged_study_note_is_an_error_that_says_what_to_do(whole, case):
    NOTES[case](whole / "study.json")
    with pytest.raises(FileFormatError, match=r"study\.json must be as .* copy its study\.json"):
        check(whole)


def test_chunks_whose_study_is_not_known_are_not_mixed_with_others(study_file, whole, pretend, contents):
    (whole / "study.json").unlink()
    before = contents(whole)
    with pytest.raises(FileFormatError, match=r"study\.json must be"):
        run(read_study(study_file(), whole), pretend)
    assert contents(whole) == before


def test_a_store_that_lost_its_markers_is_unfinished(whole, pretend, contents):
    expected = contents(whole)
    rmtree(whole / "chunks")
    assert check(whole).pending == 6
    repair(whole, pretend)
    assert contents(whole) == expected


def test_store_and_table_say_where_they_come_from(whole):
    with xarray.open_zarr(whole / "sweep.zarr", chunks=None) as data:
        notes, radius = dict(data.attrs), data.target_radius_mm
    assert radius.values.tolist() == [[20.0], [20.0]]
    assert radius.attrs["units"] == "mm"
    assert {"efield", "numpy", "numba", "scipy", "zarr", "engine", "study"} <= set(notes)
    assert json.loads(notes["study"])["engine.tol"] == 1e-8
    table = pyarrow.parquet.read_schema(whole / "table.parquet").metadata
    assert {name: table[name.encode()].decode() for name in notes if name != "coordinates"} == {
        name: text for name, text in notes.items() if name != "coordinates"
    }


def test_a_store_takes_no_more_room_than_the_dry_run_says(whole):
    store = reading(whole)
    taken = sum(path.stat().st_blocks * 512 for path in [whole, *whole.rglob("*")])
    found = estimate(store.study, store.facts).bytes
    assert taken <= found < 4 * taken


def test_a_basis_that_misses_the_error_asked_for_is_named(study_file, tmp_path):
    path = study_file(("[drive]", '[engine]\nkind = "reduced"\nbasis_tol = 1e-3\n[drive]'))

    def inaccurate(store, chunks, ear):
        for chunk in chunks:
            result = made_up(store, chunk)
            result.arrays["certified_error"] = np.array(2e-3 if chunk.cell.head else 5e-4)
            yield chunk, result, "", ("test", 1)

    notes = []
    run(read_study(path, tmp_path / "out"), inaccurate, lambda done, total, note: notes.append(note))
    (said,) = [note for note in notes if "basis_tol" in note]
    assert said.startswith("the basis of b.hand.two has errors of E up to 2.0e-03")
