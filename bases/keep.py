"""Keep what the stores hold: `python bases/keep.py` writes records/ and measured.json from them.

For each base that is trained its record (records.py) and the yardsticks that nobody has measured
yet; the studies of the optimiser and of the transfer, as far as they have run. What was kept of a
store that is not here stays.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pilot
import transfer
from measured import known, note
from records import BASES, HERE, keep, kept, question
from trained import Trained, finished
from yardsticks import experts, measure

from smalltune.api.study import store_of
from smalltune.core.disk import write_json
from smalltune.core.errors import SmalltuneError
from smalltune.core.store import Store

__all__ = ["keep_base", "keep_study"]


def keep_base(base: Trained, root: Path) -> None:
    """Write a base's record and measure its yardsticks if nobody has."""
    record = base.record
    keep(record, root)
    if known(root, "yardsticks", question(record)) is None:
        note(root, "yardsticks", question(record), measure(base))
    mixture = record.counts["active"] < record.counts["inner"]
    if mixture and known(root, "experts", record.key) is None:
        note(root, "experts", record.key, experts(base))


def keep_study(folder: Path, root: Path, told: Callable[[Any], Any]) -> str:
    """Write what `told` says of a study's results into records/ and return what was done."""
    from smalltune.analysis.results import read

    place = store_of(folder / "study.yaml")
    if not place.is_dir():
        return f"{folder.name}: not run yet"
    try:
        store = Store(place)
        results = read(store, store.read_plan(folder.name))
    except SmalltuneError as error:
        return f"{folder.name}: {error}"
    if not any(True for _ in results.stored()):
        return f"{folder.name}: nothing stored yet"
    (root / "records").mkdir(exist_ok=True)
    write_json(root / "records" / f"{folder.name}.json", told(results))
    return f"{folder.name}: kept"


def main(root: Path = HERE) -> None:
    """Keep everything that is there; say what is not."""
    bases, reasons = finished(root)
    for base in bases:
        keep_base(base, root)
        print(f"{base.name}: kept")
    there = {record.name for record in kept(root)}
    for name in BASES:
        if name in reasons:
            print(f"{name}: {reasons[name]}{'; its record stays' if name in there else ''}")
    print(keep_study(root / "optimiser-pilot", root, pilot.told))
    print(keep_study(root.parent / "studies" / "bases-transfer", root, transfer.told))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
