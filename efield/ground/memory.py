"""How much memory can still be had: of the machine, of the container, and of the process by its own limit."""

import os
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from efield.ground.errors import InputError

#: What one thing may take of what can be had: the rest is for what is made from it, and for others.
_SHARE: Final = 0.5

#: Bytes that can be had where no system says (Windows, macOS).
_UNKNOWN: Final = 16e9

#: Where a control group states its limit and what it has taken, in version 2 and version 1.
_GROUPS: Final = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def available(root: Path = Path("/")) -> float:
    """Bytes of memory that can be had: the least that machine, container and process leave; infinity if none says.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` lie.
    """
    return min(_of_machine(root), _of_process(root), *_of_groups(root), inf)


def check_room(needed: float, what: str, remedy: str) -> None:
    """Refuse what would take more than half of the memory that can be had (8 GB where no system says).

    Raises
    ------
    InputError
        ``{what} must fit into memory; instead ...: {remedy}``
    """
    room = available()
    if needed > _SHARE * (_UNKNOWN if room == inf else room):
        of = "" if room == inf else f" of {room / 1e9:.3g} GB that can be had"
        raise InputError(f"{what} must fit into memory; instead they take {needed / 1e9:.3g} GB{of}: {remedy}")


def _of_machine(root: Path) -> float:
    with suppress(OSError, ValueError):
        # Pages that hold copies of files count as free here, and do not below.
        return 1024.0 * _entry(root / "proc/meminfo", "MemAvailable:")
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return inf


def _of_process(root: Path) -> float:
    """What the limit of addresses (``ulimit -v``, batch systems) leaves."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return inf if limit == resource.RLIM_INFINITY else limit - 1024.0 * _entry(root / "proc/self/status", "VmSize:")
    except (ImportError, OSError, ValueError):
        return inf


def _of_groups(root: Path) -> Iterator[float]:
    """What the process's control groups and those above them leave; what they hold of files counts as free."""
    for folder in _group_folders(root):
        for limit, taken in _GROUPS:
            try:
                left = float((folder / limit).read_text()) - float((folder / taken).read_text())
            except (OSError, ValueError):  # not there, or "max"
                continue
            yield max(left + _files(folder / "memory.stat"), 0.0)


def _files(statistics: Path) -> float:
    """Bytes of files that a group holds copies of; version 1 counts those of the groups below under another name."""
    for name in ("total_inactive_file", "inactive_file"):
        with suppress(OSError, ValueError):
            return _entry(statistics, name)
    return 0.0


def _group_folders(root: Path) -> Iterator[Path]:
    """Folders of the control groups that count this process's memory, each with all above it.

    In a container its own group is often mounted as the root, and the path is that of the host: what is not there says
    nothing, and the root does.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        own = Path(path.lstrip("/"))
        yield from (top / part for part in (own, *own.parents) if ".." not in part.parts)


def _entry(file: Path, name: str) -> float:
    """The number behind a name in a file of such lines; ValueError if there is none."""
    for line in file.read_text().splitlines():
        words = line.split()
        if words[:1] == [name]:
            return float(words[1])
    raise ValueError(f"{file} must have {name}")
