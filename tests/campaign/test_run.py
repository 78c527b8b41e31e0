"""The numbers of a study are those of the engines, and their bits depend on nothing but the study."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numba
import numpy as np
import pyarrow.parquet
import pytest
import xarray

from efield.campaign.compute import Bench
from efield.campaign.plan import read_study
from efield.campaign.run import run
from efield.campaign.store import reading
from efield.campaign.tables import write_tables
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.engines import at_rate, measure
from efield.targeting.simulate import Simulator


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    """The small study, computed in this process."""
    from tests.campaign.conftest import STUDY

    folder = tmp_path_factory.mktemp("finished")
    (folder / "study.toml").write_text(STUDY.format(files=files).replace("[output]", "[output]\nfields = true"))
    outcome = run(read_study(folder / "study.toml"))
    assert outcome.heads == {"here": 2}
    return reading(folder / "out")


@pytest.fixture(scope="module")
def data(finished):
    with xarray.open_zarr(finished.zarr, chunks=None) as found:
        yield found.load()


def test_the_store_holds_what_the_engine_gives(finished, data):
    study = finished.study
    for number, entry in enumerate(study.heads):
        head = entry.load(study.base)
        target, coil = study.targets[0].on(head, study.base), study.coils[0].load(study.base)
        sim = Simulator(head, entry.conductivities(), solver="multigrid")
        placements = study.grid.on(head, target, coil)
        table = measure(sim, coil, placements, target, region=target)
        here = data.isel(head_name=number, target=0, coil=0)
        assert np.array_equal(here.pose, placements.matrices)
        assert np.array_equal(here.angle_deg, placements.coordinates["angle_deg"])
        for k, rate in enumerate((1e6, -5e7)):
            for name, values in at_rate(table, rate).items():
                if name != "e":
                    assert np.array_equal(here[name][k], values, equal_nan=True), name
        with xarray.open_zarr(finished.zarr, group=f"fields/{entry.label}/hand", chunks=None) as fields:
            assert np.array_equal(fields.e[0], table["e"])
            assert np.array_equal(fields.tets[0], target.tets(head))
    # A skull that conducts twice as well lets the field change.
    assert not np.array_equal(data.along[0], data.along[1])
    assert data.head_hash[0] == data.head_hash[1]
    assert data.conductivity_hash[0] != data.conductivity_hash[1]
    assert data.along.attrs["units"] == "V/m"
    assert "angle_deg" in data.coords


def test_a_chunk_has_the_same_bits_on_one_thread_and_on_two(finished, tmp_path):
    threads = numba.get_num_threads()
    chunks = list(finished.study.chunks())[:2]
    results = []
    try:
        for count in (1, 2):
            numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
            bench = Bench(finished.study, tmp_path)
            results.append([bench.chunk(chunk).arrays for chunk in (chunks if count == 1 else chunks[::-1])])
    finally:
        numba.set_num_threads(threads)
    for one, two in zip(results[0], results[1][::-1], strict=True):
        assert one.keys() == two.keys()
        assert all(np.asarray(one[name]).tobytes() == np.asarray(two[name]).tobytes() for name in one)


def test_the_tables_are_the_store_row_by_row(finished, data):
    table = pyarrow.parquet.read_table(finished.folder / "table.parquet")
    frame = data[["mean_magnitude", "along", "lifted_mm"]].to_dataframe().reset_index()
    order = frame.sort_values(
        ["head_name", "target", "coil", "didt", "placement"], kind="stable", ascending=[True] * 3 + [False, True]
    )
    assert table.num_rows == len(frame) == 2 * 2 * 20
    for name in ("head_name", "placement", "didt", "angle_deg", "u_mm", "mean_magnitude", "along", "lifted_mm"):
        assert table[name].to_pylist() == order[name].tolist(), name
    poses = np.stack([table[f"pose_{k}{m}"].to_numpy() for k in (1, 2, 3) for m in (1, 2, 3, 4)], axis=1)
    assert np.array_equal(poses[:20].reshape(20, 3, 4), data.pose[0, 0, 0, :, :3])
    assert table.schema.field("along").metadata[b"units"] == b"V/m"
    lines = (finished.folder / "table.csv").read_text().splitlines()
    assert len(lines) == 1 + table.num_rows
    header = [name.strip('"') for name in lines[0].split(",")]
    assert header == table.schema.names
    written = [float(line.split(",")[header.index("along")]) for line in lines[1:]]
    assert written == table["along"].to_pylist()
    meanings = json.loads((finished.folder / "table.json").read_text())
    assert list(meanings) == header
    assert meanings["along"]["Units"] == "V/m"


def test_the_tables_have_the_same_bytes_when_written_again(finished, contents):
    before = contents(finished.folder)
    write_tables(finished)
    assert contents(finished.folder) == before


def test_other_engines_give_their_own_numbers(study_file, tmp_path):
    path = study_file(("[drive]", '[engine]\nkind = "reciprocal"\nexact = true\n[drive]'))
    study = read_study(path)
    run(study)
    with xarray.open_zarr(Path(study.output) / "sweep.zarr", chunks=None) as found:
        head = study.heads[1].load(study.base)
        target, coil = study.targets[0].on(head, study.base), study.coils[0].load(study.base)
        sim = Simulator(head, study.heads[1].conductivities(), solver="multigrid")
        table = measure(reciprocal(sim, target, axes=True), coil, study.grid.on(head, target, coil), target, exact=True)
        assert set(table) <= set(found)
        for name, values in table.items():
            assert np.array_equal(found[name][1, 0, 0, 0], values, equal_nan=True), name


#: Runs the study once, and then again in a process of its own whenever a line comes in. Forked processes begin with
#: compiled kernels. The second run, of all chunks in a fork, is timed and thrown away.
SERVER = """
import os, shutil, sys, time
from efield.campaign.plan import read_study
from efield.campaign.run import in_this_process, run

def logged(store, chunks, ear):
    for item in in_this_process(store, chunks, ear):
        with open(sys.argv[4], "a") as log:
            log.write(item[0].name + "\\n")
        yield item

def started():
    child = os.fork()
    if child == 0:
        run(read_study(sys.argv[1], sys.argv[3]), logged)
        os._exit(0)
    return child

run(read_study(sys.argv[1], sys.argv[2]))
begun = time.perf_counter()
os.waitpid(started(), 0)
whole = time.perf_counter() - begun
shutil.rmtree(sys.argv[3])
print(whole, flush=True)
for line in sys.stdin:
    child = started()
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""

_KILLS = 6


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_at_random_times_it_ends_with_the_bytes_of_an_uninterrupted_run(study_file, tmp_path, contents):
    path, quiet, killed, log = study_file(), *(tmp_path / name for name in ("quiet", "killed", "log"))
    server = [sys.executable, "-c", SERVER, *map(str, (path, quiet, killed, log))]
    rng, kills, status = np.random.default_rng(), 0, -1
    environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        whole = float(process.stdout.readline())
        # Then it is let go on until it ends.
        for attempt in range(_KILLS + 1):
            markers = {marker.stem for marker in killed.glob("chunks/[0-9]*.json")}
            log.write_text("")
            process.stdin.write("go\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            if attempt < _KILLS:
                time.sleep(rng.uniform(0, 0.3 * whole))
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            status = int(process.stdout.readline())
            assert not markers & set(log.read_text().split())
            if status == 0:
                break
            assert status == signal.SIGKILL
            kills += 1
        process.stdin.close()
    assert status == 0
    assert kills >= 2
    assert contents(killed) == contents(quiet)
