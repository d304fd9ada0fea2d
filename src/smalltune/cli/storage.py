"""`smalltune store`: check, gc, export and import of the store that a study uses."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smalltune.cli.verbs import AsJson, StoreAt, open_study, print_json, say, verb
from smalltune.core.errors import StudyError
from smalltune.core.plugins import nearest
from smalltune.core.plural import plural

if TYPE_CHECKING:
    from smalltune.core.store import Store

__all__ = ["store"]


@verb
def store(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY ACTION [FILE]", help="check, gc, export FILE.tar.gz, import FILE.tar.gz"
        ),
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="check: remove what is damaged.")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="gc: only say what would go.")] = False,
    store: StoreAt = None,
    json: AsJson = False,
) -> bool:
    """Check a store's every byte, clean it, or carry finished work between machines.

    The action may stand before the study: `store check STUDY` is `store STUDY check`.
    """
    study, action, file = _parse(words)
    if action == "check":
        return _check(_store(study, store), repair, json)
    if action == "gc":
        return _gc(_store(study, store), dry, json)
    assert file is not None
    run: Callable[[str, Path, Path | None, bool], bool]
    run = _export if action == "export" else _import
    return run(study, file, store, json)


def _parse(words: list[str]) -> tuple[str, str, Path | None]:
    """Return study, action and file; raises StudyError that says what is missing."""
    actions = {"check": 2, "gc": 2, "export": 3, "import": 3}
    place = next((n for n, word in enumerate(words[:2]) if word in actions), None)
    if place is None:
        near = nearest(words[-1], list(actions))
        raise StudyError(f"what shall be done with the store of {words[0]!r}? {near}")
    action, rest = words[place], [*words[:place], *words[place + 1 :]]
    if len(words) != actions[action]:
        file = " FILE" if actions[action] == 3 else ""
        raise StudyError(f"smalltune store {action} takes STUDY{file}")
    return rest[0], action, Path(rest[1]) if rest[1:] else None


def _check(place: "Store", repair: bool, json: bool) -> bool:
    from dataclasses import asdict

    from smalltune.core.openings import openings
    from smalltune.core.upkeep import check

    damaged = check(place, repair=repair)
    if json:
        found = [asdict(one) for one in openings(place)]
        report = {"damaged": damaged, "repaired": repair, "opened": found}
        print_json({"store": str(place.root), **report})
    else:
        for lines in damaged.values():
            print("\n".join(lines))
        what = (
            "removed; run again to make them anew" if repair else "damaged; --repair removes them"
        )
        print(f"{plural(len(damaged), 'artifact')} {what}" if damaged else f"{place.root} is whole")
        _print_openings(place)
    return repair or not damaged


def _print_openings(place: "Store") -> None:
    """Print how often each test split was opened, by how many scores, and when the last time."""
    from smalltune.core.openings import FILE, openings, unreadable

    found = openings(place)
    for data in dict.fromkeys(one.data for one in found):
        mine = [one for one in found if one.data == data]
        tasks = ", ".join(dict.fromkeys(one.task for one in mine))
        jobs = plural(len({one.job for one in mine}), "score")
        print(
            f"test of {tasks} (rows {data[:12]}): opened {plural(len(mine), 'time')} by {jobs}, "
            f"last {mine[-1].time[:16].replace('T', ' ')} UTC"
        )
    if lost := unreadable(place):
        print(f"{place.root / FILE}: {plural(lost, 'line')} cannot be read")


def _gc(place: "Store", dry: bool, json: bool) -> bool:
    from smalltune.core.upkeep import collect

    found = collect(place, dry=dry)
    if json:
        print_json({"store": str(place.root), "dry_run": dry, **found.__dict__})
    else:
        done = "would go" if dry else "removed"
        print(
            f"{plural(len(found.artifacts), 'artifact')} and "
            f"{plural(len(found.work), 'unfinished job')} {done}: "
            f"{found.bytes / 1e6:.1f} MB"
        )
    return True


def _export(study: str, file: Path, store: Path | None, json: bool) -> bool:
    from smalltune.core.archive import export_store

    one = open_study(study, store)
    record = one.record()
    one.store.write_plan(record)
    count = export_store(one.store, record["keys"], [one.name], file)
    size = file.stat().st_size
    if json:
        print_json({"file": str(file), "artifacts": count, "bytes": size})
    else:
        print(f"{file}: {plural(count, 'artifact')}, {size / 1e6:.1f} MB")
    return True


def _import(study: str, file: Path, store: Path | None, json: bool) -> bool:
    from smalltune.core.archive import import_store

    report = import_store(_store(study, store), file)
    if json:
        print_json(report.__dict__)
    else:
        for key, reason in report.refused.items():
            say(f"refused {key[:12]}: {reason}")
        print(
            f"{plural(len(report.taken), 'artifact')} taken, {len(report.known)} known before, "
            f"{len(report.refused)} refused"
        )
    return not report.refused


def _store(study: str, store: Path | None) -> "Store":
    """Return the store of a study; the study file need not be right, only there."""
    from smalltune.api.study import store_of
    from smalltune.core.store import Store
    from smalltune.planning.reading import find_study

    return Store(store_of(find_study(study), store))
