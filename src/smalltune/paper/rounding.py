r"""Rounding: the one place where a value becomes the digits that are printed.

Every function takes a value and returns LaTeX without a unit. Shares are printed in percent with
one decimal, differences of shares in percentage points with a sign, other metrics with three
decimals (fewer from ten on, so that a perplexity has four digits), p-values with three (never as
zero). Undefined is not zero: NaN and None print as a dash.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = [
    "DASH", "bound", "count", "difference", "duration", "energy", "mean", "megabytes", "millions",
    "p_value", "quoted", "ratio", "score", "setting",
]  # fmt: skip

DASH = "--"
CI = r"95\,\% interval"
RULE = (
    "Shares are printed in percent with one decimal, differences of shares in percentage points "
    "with one decimal, other metrics with three decimals or, from ten on, four digits in all, "
    "the ends of a difference's interval with their sign also where they round to zero, "
    "exact p-values with three decimals "
    "(four where three would round to the level of the test), durations with one decimal, "
    "ratios with two."
)


def _dash(function: Callable[..., str]) -> Callable[..., str]:
    @wraps(function)
    def printed(value: Any, *args: Any, **options: Any) -> str:
        undefined = value is None or (isinstance(value, float) and not math.isfinite(value))
        return DASH if undefined else function(value, *args, **options)

    return printed


@_dash
def score(value: float, *, percent: bool) -> str:
    """Return a metric's value: `0.8123` is `81.2` in percent, else `0.812`; `28395.6` is `28,400`.

    What is no share has four digits, three of them decimals at most.
    """
    if percent:
        return _decimals(100 * value, 1)
    whole = len(str(int(abs(value))))
    if whole > 4:
        return _decimals(round(value, 4 - whole), 0)
    return _decimals(value, min(3, 4 - whole))


@_dash
def difference(value: float, *, percent: bool) -> str:
    """Return a difference of two values with its sign; what rounds to zero has none."""
    text = score(value, percent=percent)
    return text if text.startswith("$") or not float(text) else f"$+${text}"


@_dash
def bound(value: float, *, percent: bool) -> str:
    """Return an end of a difference's interval; what rounds to zero keeps the sign of its side.

    So the digits show what the text says: an interval from `-0.0` holds zero, one from `+0.0` not.
    """
    text = difference(value, percent=percent)
    if text.startswith("$") or not value:
        return text
    return f"${'-' if value < 0 else '+'}${text}"


@_dash
def p_value(value: float, *, level: float = 0.05) -> str:
    """Return a p-value: `0.031`, `$<$0.001`; it never rounds to the level of the test."""
    if value < 0.001:
        return r"$<$\,0.001"
    text = f"{value:.3f}"
    return f"{value:.4f}" if float(text) == level and value != level else text


@_dash
def count(value: float) -> str:
    """Return a whole number with commas: `2,000`."""
    return f"{value:,.0f}"


@_dash
def mean(value: float) -> str:
    """Return a mean of counts with one decimal: `40.2`."""
    return _decimals(value, 1)


@_dash
def ratio(value: float) -> str:
    """Return how many times one quantity is another, with two decimals: `0.97`."""
    return _decimals(value, 2)


@_dash
def setting(value: float) -> str:
    r"""Return a hyperparameter as it was set: `0.0005`, `$5\times10^{-5}$`, `16`."""
    if isinstance(value, int) or float(value).is_integer():
        return count(value)
    if abs(value) < 0.0001:
        digits, _, power = f"{value:e}".partition("e")
        digits = digits.rstrip("0").rstrip(".")
        head = "" if digits == "1" else rf"{digits}\times"
        return f"${head}10^{{{int(power)}}}$"
    return f"{value:.10f}".rstrip("0").rstrip(".")


@_dash
def quoted(value: float, *, percent: bool) -> str:
    """Return a value as its authors printed it, a percentage with at least one decimal."""
    text = setting(value)
    return f"{text}.0" if percent and text.isdigit() else text


def energy(joules: float) -> tuple[str, str]:
    """Return an energy and its unit: joules, from a thousand of them on kilojoules."""
    if not math.isfinite(joules):
        return DASH, ""
    if joules < 0.1:
        return r"$<$\,0.1", "J"
    return (_decimals(joules, 1), "J") if joules < 1000 else (_decimals(joules / 1000, 1), "kJ")


def duration(seconds: float | None) -> tuple[str, str]:
    """Return a duration and its unit: seconds, from two minutes on minutes, then hours."""
    if seconds is None or not math.isfinite(seconds):
        return DASH, ""
    size, unit = (1, "s") if seconds < 120 else (60, "min") if seconds < 7200 else (3600, "h")
    return _decimals(seconds / size, 1), unit


@_dash
def megabytes(value: float) -> str:
    """Return bytes in megabytes (of a million bytes), without decimals from 10 on."""
    size = value / 1e6
    return _decimals(size, 0 if size >= 10 else 1)


@_dash
def millions(value: float) -> str:
    """Return a large count in millions with one decimal."""
    return _decimals(value / 1e6, 1)


def _decimals(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        zero = not text.strip("-0.,")
        return text[1:] if zero else f"$-${text[1:]}"
    return text
