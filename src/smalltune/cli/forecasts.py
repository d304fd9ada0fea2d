"""Forecasts in a terminal: what is being measured, and what a study will take."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from smalltune.cli.live import span
from smalltune.cli.verbs import say, terminal
from smalltune.core.plural import plural

if TYPE_CHECKING:
    from smalltune.planning.forecast import Forecast, Needs
    from smalltune.runner import Event

__all__ = ["forecast_record", "print_forecast", "watch_measuring"]

UNITS = ("B", "kB", "MB", "GB", "TB")


def watch_measuring() -> "Callable[[Event], None]":
    """Return what tells, beside the output, what is measured and how to leave it out."""

    def hear(event: "Event") -> None:
        if event.kind == "plan" and event.info["missing"]:
            many = sum(job.stage == "measure" for job in event.info["missing"])
            say(
                f"measuring {plural(many, 'kind')} of trials, once on this machine "
                "(--no-forecast leaves it out)"
            )
        elif event.kind == "start" and event.job:
            say(f"  {event.job.label}")

    return hear


def forecast_record(told: "Forecast") -> dict[str, Any]:
    """Return a forecast as JSON; what is not known is null."""
    return {name: value for name, value in asdict(told).items() if name != "jobs"}


def print_forecast(told: "Forecast") -> None:
    """Print what a trial of each model, method and task takes, and all of them together."""
    from rich.table import Table

    if not told.rows:
        return
    out, reasons = terminal(), list[str]()
    head = ("forecast", "trials", "a trial", "peak memory", "stored", "in all")
    table = Table(*head, box=None)
    for row in told.rows:
        runs = str(row.trials) + (f" + {row.tuning} tuning" if row.tuning else "")
        each = (_time(row.each.seconds), _size(row.each.peak), _size(row.each.stored))
        table.add_row(row.where, runs, *each, _time(row.left.seconds))
        if row.reason and math.isnan(row.each.seconds):
            reasons.append(f"not known: {row.where}: {row.reason}")
    out.print()
    out.print(table)
    out.print(f"in all: {_total(told.total, told.workers)}")
    for line in (*reasons, *(f"does not fit: {each}" for each in told.unfit)):
        out.print(line, soft_wrap=True)


def _total(total: "Needs", workers: int) -> str:
    return (
        f"about {_time(total.seconds)} with {plural(workers, 'worker')}, "
        f"{_size(total.peak)} of memory, {_size(total.stored)} stored"
    )


def _time(seconds: float) -> str:
    """Return seconds in words; a dash where they are not known."""
    if math.isnan(seconds):
        return "-"
    return f"{seconds:.1f} s" if seconds < 9.95 else span(seconds)


def _size(count: float) -> str:
    """Return bytes with two figures and a unit; a dash where they are not known."""
    if math.isnan(count):
        return "-"
    power = min(len(UNITS) - 1, int(math.log10(max(count, 1)) // 3))
    return f"{float(f'{count / 1000**power:.2g}'):g} {UNITS[power]}"
