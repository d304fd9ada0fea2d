"""Upkeep of a store: find what is damaged, throw away what no study needs."""

from dataclasses import dataclass, field
from pathlib import Path

from smalltune.core.claims import claim
from smalltune.core.store import Store

__all__ = ["Garbage", "check", "collect"]


@dataclass
class Garbage:
    """What no study needs: artifacts and unfinished work, by key, and their bytes."""

    artifacts: list[str] = field(default_factory=list)
    work: list[str] = field(default_factory=list)
    bytes: int = 0


def check(store: Store, *, repair: bool = False) -> dict[str, list[str]]:
    """Return what is wrong with each damaged artifact, by key; `repair` removes those.

    Every byte is read. What was removed is made again by the next run that needs it.
    """
    damaged = {}
    for key in sorted(path.name for path in (store.root / "artifacts").glob("*/*")):
        wrong = store.verify(key)
        if wrong:
            damaged[key] = wrong
            if repair:
                store.remove(key)
    return damaged


def collect(store: Store, *, dry: bool = False) -> Garbage:
    """Remove what belongs to no study's last plan; with `dry`, only say what that is.

    Work of a job that some process has claimed is left alone.
    """
    needed = {key for study in store.studies() for key in store.read_plan(study)["keys"]}
    found = Garbage()
    for key in list(store.keys()):
        if key not in needed:
            found.artifacts.append(key)
            found.bytes += _size(store.folder(key))
    for folder in sorted((store.root / "work").iterdir()):
        if folder.name not in needed:
            found.work.append(folder.name)
            found.bytes += _size(folder)
    for key in [] if dry else [*found.artifacts, *found.work]:
        held = claim(store, key)
        if held is not None:
            with held:
                store.remove(key)
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
