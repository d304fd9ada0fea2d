"""Aims: what was meant to be reached beside what was measured.

The median decides. Where the aim lies between the lowest and the highest of the rounds, another
measurement may fall on its other side, and the table says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measures import (
    Record,
    best_trainer,
    forecast_ratio,
    many_runs,
    named,
    per_trial,
    ratio_of,
    share_spread,
    title,
)
from harness.reasons import Missed
from harness.tables import spread_text, table
from harness.timing import Spread, spread

__all__ = ["Judged", "judged", "table_of_aims"]


@dataclass(frozen=True)
class Judged:
    """An aim beside what was measured, as it is written."""

    missed: Missed
    said: str
    less: bool
    met: bool

    @property
    def row(self) -> tuple[str, ...]:
        """The aim as a row of the table."""
        wanted = f"at {'most' if self.less else 'least'} {self.missed.aim:g}"
        mark = "reached" if self.met else "**not reached**"
        one = self.missed
        mark += ", within the spread" if one.within else ""
        return named(one.pair, one.record), title(one.record, one.variant), self.said, wanted, mark


def judged(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[Judged]:
    """Yield each aim of these pairs with what was measured, none for what was not."""
    for pair in pairs:
        record = records[pair.name]
        for name, aim in pair.aims.items():
            found = _measured(record, name)
            if found is not None:
                value, said, less = found
                met = value.median <= aim if less else value.median >= aim
                within = value.low < aim < value.high
                missed = Missed(pair.name, name, record, aim, within, _profile(record, records))
                yield Judged(missed, said, less, met)


def table_of_aims(found: Sequence[Judged]) -> str:
    """Return the table of aims."""
    note = (
        "\nThe median decides. Within the spread: the aim lies between the lowest and the highest "
        "of the rounds.\n"
    )
    rows = [one.row for one in found]
    some = any(one.missed.within for one in found)
    return table(("pair", "against", "measured", "aim", ""), rows) + (note if some else "")


def _profile(record: Record, records: Mapping[str, Record]) -> Record:
    """Return the profile of a step of what a pair trains, or of a study; empty without one."""
    if "computed" in record:
        return records.get("profile:study:lora", {})
    plan = record.get("plan", {})
    return records.get(f"profile:{plan.get('shape')}:{plan.get('method')}", {})


def _measured(record: Record, name: str) -> tuple[Spread, str, bool] | None:
    """Return what the rounds measured, how it is written, and whether less is better."""
    if "computed" in record:
        count = max(record["computed"], key=int)
        found = many_runs(record, name, count)
        return found, f"{spread_text(found)}, computed for {count} runs", False
    if name == "share":
        found = share_spread(record, "smalltune")
        return found, spread_text(found), False
    if "parts" in record:
        return _one(record["counting"]), f"{record['counting']:.2g}", True
    if "forecasts" in record:
        found = forecast_ratio(record, name.removeprefix("forecast_"))
        return _one(abs(found.median - 1)), f"{spread_text(found)} times the actual", True
    if "trials" in record:
        costs = per_trial(record)
        value = max(costs) if name == "dearest" else max(costs) / min(costs)
        return _one(value), f"{value:.3g}", True
    return _against(record, best_trainer(record) if name == "best" else name)


def _against(record: Record, name: str) -> tuple[Spread, str, bool] | None:
    """Return the same of a variant beside smalltune: peak memory, or else the ratio of times."""
    if name not in record["runs"]:
        return None
    if "peak" in record["runs"][name]:
        value = record["runs"]["smalltune"]["peak"] / record["runs"][name]["peak"]
        return _one(value), f"{value:.2f}", True
    found = ratio_of(record, name)
    return found, spread_text(found), False


def _one(value: float) -> Spread:
    """Return a value that has no rounds, or whose spread is not one of rounds."""
    return spread([value])
