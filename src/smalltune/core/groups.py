"""Groups: what a container or a batch job may take of the machine, by Linux's control groups.

Version 2 has one tree, version 1 a tree for each kind; inside a container the root is its own.
"""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["GROUPS", "OWN", "core_shares", "memory_left", "memory_limits"]

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where control groups are shown, and which of them this process is in."""

MEMORY = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
"""The files of a limit and of what is used, in version 2 and 1."""


def core_shares(root: Path = GROUPS, own: Path = OWN) -> Iterator[float]:
    """Yield how many cores each group of this process, or one above it, may keep busy."""
    for group in _groups(root, own):
        words = _words(group / "cpu.max")  # microseconds of each period, or "max"
        if len(words) == 2 and words[0] != "max":
            yield int(words[0]) / int(words[1])
        quota, period = _words(group / "cpu.cfs_quota_us"), _words(group / "cpu.cfs_period_us")
        if quota and period and int(quota[0]) > 0:
            yield int(quota[0]) / int(period[0])


def memory_left(root: Path = GROUPS, own: Path = OWN) -> Iterator[int]:
    """Yield the bytes that are left in each group of this process, or one above it.

    Files that a group has in its cache count as free: the kernel gives them up when asked.
    """
    for group in _groups(root, own):
        for limit, used in MEMORY:
            most, now = _words(group / limit), _words(group / used)
            if most and now and most[0] != "max":
                yield max(0, int(most[0]) - int(now[0]) + _cached(group / "memory.stat"))


def memory_limits(root: Path = GROUPS, own: Path = OWN) -> Iterator[int]:
    """Yield the most bytes that each group of this process, or one above it, may have."""
    for group in _groups(root, own):
        for limit, _ in MEMORY:
            most = _words(group / limit)
            if most and most[0] != "max":
                yield int(most[0])


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders that may hold limits of this process: its control groups and all above."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    seen = set()
    for _, kinds, path in (line.split(":", 2) for line in lines or ["0::/"]):
        for tree in [root / kind for kind in (kinds, *kinds.split(","))] if kinds else [root]:
            here = tree / path.lstrip("/")
            for folder in (here, *here.parents):
                if folder not in seen and folder.is_relative_to(root) and folder.is_dir():
                    seen.add(folder)
                    yield folder


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _cached(path: Path) -> int:
    """Return the bytes of files in a group's cache; 0 where it does not say."""
    words = _words(path)
    counts = dict(zip(words[::2], words[1::2], strict=False))
    whole = "total_" if "total_active_file" in counts else ""  # version 1: with the groups below
    return sum(int(counts.get(f"{whole}{part}_file", 0)) for part in ("active", "inactive"))
