"""Tables: what the records of each kind of pair say, as tables of RESULTS.md."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from harness import notes
from harness.measures import (
    Record,
    clock_of,
    forecast_ratio,
    many_runs,
    named,
    ratio_of,
    share_of_peak,
    title,
)
from harness.timing import Spread, spread

__all__ = ["gigabytes", "sections", "spread_text", "table"]

SHOWN = 0.01
"""Parts of a profile below this share are left out."""


def sections(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[str]:
    """Yield a heading and a table for each kind among the pairs."""
    for kind, heading, write in SECTIONS:
        if chosen := [pair for pair in pairs if pair.kind == kind]:
            yield f"## {heading}\n"
            yield write(chosen, records)


def _timed(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return a table of training, evaluation or generation pairs, a row per variant."""
    rows = []
    for pair in pairs:
        record = records[pair.name]
        for name, run in record["runs"].items():
            times = spread(run[clock_of(record)])
            own = name.startswith("smalltune")
            rows.append(
                (
                    named(pair.name, record) if name == "smalltune" else "",
                    title(record, name),
                    f"{times.median:.3g} s",
                    "" if own else spread_text(ratio_of(record, name)),
                    f"{100 * share_of_peak(record, name):.0f} %" if "flop" in record else "",
                    _outcome(run),
                    _distances(run),
                )
            )
    head = ("pair", "variant", "time", "ratio", "share of peak", "outcome", "apart")
    same = notes.TOKENS if pairs[0].kind == "generate" else ""
    return table(head, rows) + same + _chosen(pairs, records)


def _chosen(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return which batches a peer's best one was chosen from, nothing where none was."""
    rows = []
    for pair in pairs:
        record = records[pair.name]
        for name, found in record.get("chosen", {}).items():
            tried = ", ".join(f"{batch}: {took:.3g} s" for batch, took in found["tried"].items())
            rows.append((f"`{pair.name}`", title(record, name), tried))
    if not rows:
        return ""
    note = "\nThe best batch is the quickest of these, each run once before the rounds:\n\n"
    return note + table(("pair", "variant", "rows a batch: time of the trial run"), rows)


def _outcome(run: Record) -> str:
    said = {"loss": "loss {:.5f}", "accuracy": "accuracy {:.3f}", "tokens": "{} tokens"}
    return next((text.format(run[key]) for key, text in said.items() if key in run), "")


def _distances(run: Record) -> str:
    return ", ".join(f"{what} {value:.0e}" for what, value in run["distances"].items() if value)


def _studies(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return what runs cost, and what many would: the latter computed, not run."""
    rows = []
    for pair in pairs:
        record = records[pair.name]
        common = min(map(len, record["losses"].values()))
        for name, rounds in record["runs"].items():
            wall = {n: record["computed"][n][name]["wall"] for n in record["computed"]}
            own = name == "smalltune"
            several, losses = rounds[0]["accuracy"], record["losses"][name]
            rows.append(
                (
                    named(pair.name, record) if name == "smalltune" else "",
                    title(record, name),
                    f"{_middle(rounds, 'wall', 'once'):.1f} s",
                    f"{_middle(rounds, 'wall', 'each'):.2f} s",
                    f"{_middle(rounds, 'cpu', 'each'):.2f} s",
                    *(
                        f"{spread(s).median:.0f} s"
                        + ("" if own else f", {spread_text(many_runs(record, name, n))}")
                        for n, s in wall.items()
                    ),
                    f"{fmean(several[:common]):.3f}",
                    f"{fmean(losses[:common]):.5f}",
                    str(common),
                    _distances(rounds[0]),
                )
            )
    counts = [f"{n} runs, computed" for n in records[pairs[0].name]["computed"]]
    head = (
        "pair", "variant", "once", "each run", "CPU each", *counts, "mean accuracy", "mean loss",
        "seeds", "apart",
    )  # fmt: skip
    return table(head, rows) + notes.STUDIES


def _middle(rounds: Sequence[Record], clock: str, part: str) -> float:
    return spread([each[clock][part] for each in rounds]).median


def _memories(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    rows = []
    for pair in pairs:
        record = records[pair.name]
        for name, run in record["runs"].items():
            ours = record["runs"]["smalltune"]
            more = (ours["peak"] - ours["rest"]) / max(1, run["peak"] - run["rest"])
            rows.append(
                (
                    named(pair.name, record) if name == "smalltune" else "",
                    title(record, name),
                    f"{gigabytes(run['peak'])} GB",
                    f"{gigabytes(run['rest'])} GB",
                    f"{ours['peak'] / run['peak']:.2f}",
                    f"{more:.2f}",
                    _distances(run),
                )
            )
    head = ("pair", "variant", "peak", "before", "smalltune's share", "without before", "apart")
    return table(head, rows) + notes.MEMORIES


def _scalings(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    rows = []
    for pair in pairs:
        record = records[pair.name]
        for point in record["points"]:
            point = point | {"device": record["device"]}
            size, length = point["parameters"] / 1e6, point["length"]
            what = f"{length} tokens a row" if length else f"{size:.1f}M parameters"
            for name, run in point["runs"].items():
                rows.append(
                    (
                        f"{named(pair.name, record)}, {what}" if name == "smalltune" else "",
                        title(record, name),
                        f"{1e6 * spread(run[clock_of(point)]).median / point['tokens']:.0f}",
                        "" if name.startswith("smalltune") else spread_text(ratio_of(point, name)),
                        _distances(run),
                    )
                )
    return table(("point", "variant", "microseconds a token", "ratio", "apart"), rows)


def _trials(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    found = records[pairs[0].name]["trials"]
    head = tuple(found["rows"][0])
    rows = [tuple(_number(row[name]) for name in head) for row in found["rows"]]
    return table(head, rows) + f"\n{found['unit']}; the columns are explained in `scaling.py`.\n"


def _forecasts(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return how forecasts stood against what trials took, by pair."""
    head = ("pair", "trials", "time", "time, of the processor", "peak memory", "stored")
    rows = [
        (
            named(pair.name, records[pair.name]),
            str(len(records[pair.name]["forecasts"])),
            *(
                spread_text(forecast_ratio(records[pair.name], kind))
                for kind in ("wall", "cpu", "memory", "stored")
            ),
        )
        for pair in pairs
    ]
    return f"{notes.FORECASTS}\n{table(head, rows)}"


def _profiles(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return where the time goes, and for each pair the largest part by its name."""
    rows, largest = [], []
    for pair in pairs:
        record = records[pair.name]
        parts = record["parts"]
        first, share = parts[0]["part"], 100 * parts[0]["share"]
        largest.append(f"`{pair.name}`: {notes.PARTS.get(first, first)}, {share:.0f} %.")
        counting = f"{100 * record['counting']:.2f} %" if "counting" in record else ""
        shown = [part for part in parts if part["share"] >= SHOWN]
        for part in shown:
            top = part is shown[0]
            rows.append(
                (
                    named(pair.name, record) if top else "",
                    _total(record) if top else "",
                    notes.PARTS.get(part["part"], part["part"]),
                    f"{100 * part['share']:.0f} %",
                    counting if top else "",
                )
            )
    head = ("profile", "a step, or the study", "part", "share", "meters")
    note = notes.PROFILES + " ".join(largest) + "\n"
    return table(head, rows) + note


def _total(record: Record) -> str:
    """Return the seconds of a step, or of a study those of its run in the middle."""
    if "totals" not in record:
        return f"{record['taken']:.3g} s"
    found = spread(record["totals"])
    return f"{record['taken']:.3g} s [{found.low:.3g}, {found.high:.3g}]"


def _losses(pairs: Sequence[Any], records: Mapping[str, Record]) -> str:
    """Return how far the losses of smalltune and of Trainer with PEFT lie apart."""
    rows = []
    for pair in pairs:
        record = records[pair.name]
        ours = record["losses"]["smalltune"]
        rows.append(
            (
                named(pair.name, record),
                str(len(ours)),
                f"{ours[0]:.5f}",
                f"{ours[-1]:.5f}",
                f"{record['apart']:.0e}",
            )
        )
    head = ("pair", "steps", "first loss", "last loss", "largest relative difference")
    return table(head, rows)


SECTIONS = (
    ("train", "Training", _timed),
    ("evaluate", "Evaluation: label words", _timed),
    ("generate", "Generation", _timed),
    ("study", "A study of many short runs", _studies),
    ("memory", "Peak memory of training", _memories),
    ("scaling", "Time against length and size", _scalings),
    ("trials", "Cost per trial of planning, store and scheduling", _trials),
    ("losses", "Losses beside those of Trainer with PEFT, step by step", _losses),
    ("forecast", "Forecasts", _forecasts),
    ("profile", "Where the time of a step and of a study goes", _profiles),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def spread_text(found: Spread) -> str:
    """Return a median with its lowest and highest, as it is printed."""
    return f"{found.median:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def gigabytes(count: float | None) -> str:
    """Return bytes as gigabytes, as they are printed."""
    return "?" if count is None else f"{count / 1e9:.2f}"
