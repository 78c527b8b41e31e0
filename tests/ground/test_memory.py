"""How much memory can be had: containers and limits of the process count, told by folders as Linux has them."""

import subprocess
import sys
from math import inf

import pytest

from efield.ground import memory
from efield.ground.errors import InputError

GB = 1 << 30
MEMINFO = {"proc/meminfo": f"MemTotal: {64 << 20} kB\nMemAvailable: {32 << 20} kB\n"}


def _v2(group, limit, taken, files=0):
    at = f"sys/fs/cgroup{group}"
    return {
        f"{at}/memory.max": limit,
        f"{at}/memory.current": taken,
        f"{at}/memory.stat": f"anon 1\ninactive_file {files}",
    }


def _v1(group, limit, taken, files=0):
    at = f"sys/fs/cgroup/memory{group}"
    stat = f"inactive_file 7\ntotal_inactive_file {files}"
    return {f"{at}/memory.limit_in_bytes": limit, f"{at}/memory.usage_in_bytes": taken, f"{at}/memory.stat": stat}


CASES = {
    "no groups": ({}, 32 * GB),
    "version 2, no limit": ({"proc/self/cgroup": "0::/a"} | _v2("/a", "max", GB), 32 * GB),
    "version 2": ({"proc/self/cgroup": "0::/a"} | _v2("/a", 8 * GB, 3 * GB, GB), 6 * GB),
    "version 2, a group above": (
        {"proc/self/cgroup": "0::/a/b"} | _v2("/a/b", 8 * GB, GB) | _v2("/a", 4 * GB, GB),
        3 * GB,
    ),
    "version 2, path of the host": ({"proc/self/cgroup": "0::/docker/f00"} | _v2("", 8 * GB, 2 * GB), 6 * GB),
    "version 2, path outside": ({"proc/self/cgroup": "0::/../x"} | _v2("", 8 * GB, 2 * GB), 6 * GB),
    "version 1": ({"proc/self/cgroup": "5:cpu,memory:/a\n1:name=systemd:/"} | _v1("/a", 8 * GB, 3 * GB, GB), 6 * GB),
    "version 1, path of the host": ({"proc/self/cgroup": "4:memory:/docker/f00"} | _v1("", 8 * GB, 2 * GB), 6 * GB),
    "version 1, no limit": ({"proc/self/cgroup": "4:memory:/"} | _v1("", 9223372036854771712, GB), 32 * GB),
    "version 1, others' controllers": ({"proc/self/cgroup": "5:cpu:/a"} | _v1("/a", 8 * GB, GB), 32 * GB),
    "more taken than allowed": ({"proc/self/cgroup": "0::/a"} | _v2("/a", GB, 2 * GB), 0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_of_machine_and_containers_counts(case, tmp_path):
    files, left = CASES[case]
    for name, text in (MEMINFO | files).items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    assert memory.available(tmp_path / "root") == left


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux counts addresses")
def test_a_process_with_a_limit_of_its_own_has_no_more_than_that():
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))\n"
        "from efield.ground.memory import available; print(available())"
    )
    found = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=True)
    assert 0 < float(found.stdout) < GB


def test_what_does_not_fit_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4e9)
    memory.check_room(2e9, "fields", "ask for less")
    with pytest.raises(
        InputError, match=r"^fields must fit into memory; instead they take 3 GB of 4 GB .*: ask for less$"
    ):
        memory.check_room(3e9, "fields", "ask for less")
    monkeypatch.setattr(memory, "available", lambda: inf)
    memory.check_room(8e9, "fields", "ask for less")
    with pytest.raises(InputError, match="instead they take 9 GB: ask for less"):
        memory.check_room(9e9, "fields", "ask for less")
