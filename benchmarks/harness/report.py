"""Report: the records of finished pairs as RESULTS.md. It knows numbers, not how they came."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.aims import judged, table_of_aims
from harness.measures import (
    OTHERS,
    Record,
    clock_of,
    loaded,
)
from harness.reasons import Reason, explained
from harness.results import trouble
from harness.settings import settings
from harness.tables import gigabytes, sections, table
from harness.timing import Spread, spread

__all__ = ["report"]

SHARED = ("train", "evaluate", "generate")
"""The kinds whose tables have a share of the peak."""

HEAD = """# The benchmark

Written by `make bench` from `results.json`, which holds every single measurement.

A time is {clock} of one run with {threads} thread(s), unless a table says otherwise. Variants of
training, evaluation and generation run in turn within one process; a ratio is the time of a variant
over smalltune's in the same round: its median over the rounds, and in brackets the lowest and the
highest. Above 1, smalltune is faster. Each pair did equal work: same weights, rows, batches and
their order, steps, schedule, optimiser, clipping, precision and threads; how far the results lie
apart stands beside the times, and a pair that ended differently is not published. What the variants
are stands under "What was compared".

The share of peak is the number of operations that the work needs, with nothing computed in vain,
per second, over the most that products of large matrices reached in the same process, at its
beginning and at that of each round.
"""


def report(
    records: Mapping[str, Record], pairs: Sequence[Any], reasons: Sequence[Reason] = ()
) -> str:
    """Return the whole page; `reasons` explain the aims that are missed."""
    known = [pair for pair in pairs if pair.name in records]
    good = [pair for pair in known if not trouble(pair.name, records[pair.name])]
    parts = [*_head(records, good or known)]
    if aimed := [pair for pair in good if pair.aims]:
        found = list(judged(aimed, records))
        parts += ["## Reached and meant to reach\n", table_of_aims(found)]
        if missed := [one.missed for one in found if not one.met]:
            parts += ["What is not reached, and why:\n", *explained(missed, reasons)]
    parts += [*settings(good, records), *sections(good, records)]
    parts += [*_loaded(good, records), *_measured_with(good, records), *_missing(records, pairs)]
    return "\n".join(parts)


def _head(records: Mapping[str, Record], known: Sequence[Any]) -> Iterator[str]:
    measured = [records[p.name] for p in known if "machine" in records[p.name]]
    if not measured:
        yield "# The benchmark\n\nNothing is measured yet: `make bench`.\n"
        return
    gpu = any(clock_of(record) == "wall" for record in measured)
    clock = "CPU seconds" if not gpu else "CPU seconds, on a GPU wall seconds,"
    machine = measured[-1]["machine"]
    yield HEAD.format(clock=clock, threads=machine["threads"])
    days = sorted(record["date"][:10] for record in measured)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    shared = [records[p.name] for p in known if p.kind in SHARED and "peak" in records[p.name]]
    peaks = spread([record["peak"] for record in shared or measured])
    units = {", ".join(r["machine"]["units"]) for r in measured if r["machine"].get("units")}
    loads = spread([record["machine"]["load"] for record in measured])
    host = machine["machine"]
    memory = gigabytes(host["memory_bytes"])
    rows = [
        ("Date", when),
        ("Commit", ", ".join(sorted({str(r["machine"]["git"]) for r in measured}))),
        ("Processor", f"{host['cpu']}, {host['cores']} cores, {memory} GB"),
        *(("Its units for products", each) for each in sorted(units)),
        ("GPU", machine["gpu"] or "none"),
        ("System", host["platform"]),
        ("Python", machine["python"]),
        ("Packages", ", ".join(f"{n} {v}" for n, v in machine["packages"].items())),
        ("Matmul peak", f"{_giga(peaks)} GFLOP/s"),
        (
            "Load",
            f"{loads.median:.1f} when a pair began (from {loads.low:.1f} to {loads.high:.1f})",
        ),
    ]
    if once := [p.name for p in known if p.kind in SHARED and "peaks" not in records[p.name]]:
        names = ", ".join(f"`{name}`" for name in once)
        said = f"taken once, of smaller products, for {names}: left out of the reasons' ranges"
        rows.append(("Peak, earlier form", said))
    yield table(("", ""), rows)


def _loaded(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[str]:
    """Name the pairs that were measured while other processes kept the machine busy."""
    rows = []
    for pair in pairs:
        record = records[pair.name]
        if loaded(record):
            load = record.get("load", {"before": record["machine"]["load"]})
            told = (load.get(what) for what in ("before", "after", "others"))
            shown = ("" if value is None else f"{value:.1f}" for value in told)
            rows.append((f"`{pair.name}`", *shown))
    if not rows:
        return
    yield "## Measured on a loaded machine\n"
    yield (
        f"Other processes kept more than {OTHERS:g} cores busy; where that was not recorded, the "
        f"load average before was more than the cores and {OTHERS:g}. CPU seconds do not count "
        "what others take, but share caches and memory with them.\n"
    )
    yield table(("pair", "load before", "load after", "cores taken by others"), rows)


def _measured_with(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[str]:
    """Name the code and the packages of each pair, where they are not the same for all."""
    groups: dict[tuple[str, str], list[str]] = {}
    days: dict[tuple[str, str], str] = {}
    for pair in pairs:
        record = records[pair.name]
        if "machine" in record:
            packages = ", ".join(f"{n} {v}" for n, v in record["machine"]["packages"].items())
            with_it = (str(record["machine"]["git"]), packages)
            groups.setdefault(with_it, []).append(f"`{pair.name}`")
            days[with_it] = max(days.get(with_it, ""), record["date"])
    if len(groups) < 2:
        return
    newest = max(groups, key=lambda one: days[one])
    rows = [
        (
            commit,
            "" if commit == newest[0] else "an earlier commit",
            "" if packages == newest[1] else packages,
            ", ".join(groups[commit, packages]),
        )
        for commit, packages in sorted(groups, key=lambda one: days[one], reverse=True)
    ]
    yield "## Measured with other code\n"
    yield "`make bench AGAIN=1 ONLY=name` measures a pair again; packages that changed do so too.\n"
    yield table(("commit", "", "other packages", "pairs"), rows)


def _missing(records: Mapping[str, Record], pairs: Sequence[Any]) -> Iterator[str]:
    """Name what is not published and why: unequal work, a failure, not run yet; no device."""
    rows = []
    lacking: dict[str, list[str]] = {}
    for pair in pairs:
        record = records.get(pair.name)
        if record is None and pair.needs:
            lacking.setdefault(pair.needs, []).append(f"`{pair.name}`")
        elif record is None:
            rows.append((f"`{pair.name}`", "not measured yet"))
        elif reason := trouble(pair.name, record):
            rows.append((f"`{pair.name}`", reason.replace("|", "/")))
    if rows or lacking:
        yield "## Not published\n"
    if rows:
        yield table(("pair", "reason"), rows)
    for needs, names in lacking.items():
        yield f"These are {needs}: {', '.join(names)}.\n"


def _giga(found: Spread) -> str:
    low, high = found.low / 1e9, found.high / 1e9
    return f"{found.median / 1e9:.0f} (from {low:.0f} to {high:.0f} over the pairs)"
