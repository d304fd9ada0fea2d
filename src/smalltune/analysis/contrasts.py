"""Contrasts: is one method better than another, beyond chance of seeds and of test items?

Three gates stand before a verdict, and all must open. The interval of the paired difference covers
seeds and items (see `intervals`). The exact sign-flip test asks whether the seeds alone could have
given the difference (see `exact`, with a worked example). With several declared contrasts both
p-values are corrected together after Holm (1979).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from smalltune.analysis.exact import holm, sign_flip, smallest_p
from smalltune.analysis.intervals import LEVEL, Estimate, Spread, interval, shares, spread
from smalltune.analysis.pairing import pairs, rows
from smalltune.analysis.records import Sample
from smalltune.analysis.results import Results
from smalltune.core.errors import DataError
from smalltune.core.plugins import load
from smalltune.metrics import Stats

__all__ = [
    "BETTER", "EQUIVALENT", "NEITHER", "UNDECIDED", "WORSE", "Contrast", "contrast", "declared",
]  # fmt: skip

BETTER, WORSE = "better", "worse"
EQUIVALENT, UNDECIDED = "equivalent", "no reliable difference"
NEITHER = "neither is better"
NAN = float("nan")


@dataclass(frozen=True)
class Contrast:
    """The difference `a` minus `b` in one metric on one task; undefined is NaN.

    `estimate` is the mean difference with its two-level interval; its `per_seed` holds each seed's
    difference. `p` is the exact sign-flip p over the seeds, `smallest_p` the least it could be.
    `p_items` is the interval's own p, over seeds and items. `p_adjusted` is the larger of `p` and
    `p_items` (where neither method has seeds, chance lies in the items alone, and it is `p_items`),
    after Holm over the `family` contrasts that were declared; the verdict goes by it.
    `equivalent` is (low, high) of the interval that must lie inside +-`sesoi` (None: not asked).
    `pairing` says in words how the two sides were paired, `left_out` names the trials without a
    partner. `better` is the metric's good direction.
    """

    a: str
    b: str
    estimate: Estimate
    p: float
    smallest_p: float
    p_items: float
    p_adjusted: float
    family: int
    alpha: float
    better: str
    pairing: str
    left_out: tuple[str, ...] = ()
    sesoi: float | None = None
    equivalent: tuple[float, float] | None = None

    @property
    def differences(self) -> tuple[tuple[int | None, float], ...]:
        """Each seed's difference of the metric."""
        return self.estimate.per_seed

    @property
    def keys(self) -> tuple[str, ...]:
        """The scores behind the contrast."""
        return self.estimate.keys

    @property
    def verdict(self) -> str:
        """What may be claimed of `a` against `b`; see the head of this file.

        With a smallest effect of interest, a difference below it is neither better nor worse. Of a
        metric without a good direction nothing is claimed.
        """
        if self.better == "neither":
            return NEITHER
        value, low, high = self.estimate.value, self.estimate.low, self.estimate.high
        excludes_zero = low > 0 or high < 0
        if excludes_zero and self.p_adjusted < self.alpha and abs(value) >= (self.sesoi or 0):
            return BETTER if (value > 0) == (self.better == "higher") else WORSE
        if self.sesoi is not None and self.equivalent is not None:
            least, most = self.equivalent
            if -self.sesoi < least and most < self.sesoi:
                return EQUIVALENT
        return UNDECIDED


@np.errstate(invalid="ignore")  # an infinite loss has no difference: NaN, without a warning
def contrast(
    a: Sample,
    b: Sample,
    *,
    level: float = LEVEL,
    alpha: float = 0.05,
    sesoi: float | None = None,
) -> Contrast:
    """Return the paired difference of two samples of one task, split and metric.

    Pairs are made by seed. Against a method without a seed axis its single row stands beside each
    seed. `sesoi` is the smallest effect size of interest in the metric's own unit (0.01 is one
    point of accuracy). Raises DataError when the two do not belong together.
    """
    same = ("task", "split", "metric")
    if any(getattr(a, name) != getattr(b, name) for name in same):
        raise DataError(f"{a.method} - {b.method}: not the same task, split and metric")
    if a.seeds and b.seeds and a.items != b.items:
        raise DataError(f"{a.method} - {b.method}: not scored on the same items of {a.task}")
    seeds, pairing, left_out = pairs(a, b)
    values = rows(a, seeds).per_seed - rows(b, seeds).per_seed
    found = Spread(NAN, NAN, ())
    if seeds:
        groups = a.groups or b.groups
        parts = [shares(rows(s, seeds).stats, s.metric.combine, groups) for s in (a, b)]
        found = spread(values, parts[0] - parts[1])
    estimate = _estimate(a, b, seeds, values, found, level, left_out)
    p = sign_flip(values)
    p_items = _p(estimate.value, found)
    return Contrast(
        a=a.method,
        b=b.method,
        estimate=estimate,
        p=p,
        smallest_p=smallest_p(len(values)),
        p_items=p_items,
        p_adjusted=p_items if seeds == (None,) else _larger(p, p_items),
        family=1,
        alpha=alpha,
        better=a.metric.better,
        pairing=pairing,
        left_out=left_out,
        sesoi=sesoi,
        equivalent=interval(estimate.value, found, 0, 1 - 2 * alpha) if sesoi else None,
    )


def declared(results: Results, split: str = "test", level: float = LEVEL) -> tuple[Contrast, ...]:
    """Return the contrasts that the study declares, corrected as one family after Holm.

    A declaration names `a` and `b`, and may name `metric`, `task` and `model`; what it leaves out
    is the primary metric, every task and every model. Where a task is not scored by the study's
    primary metric, its own stands for it (`Results.primary_of`); by another metric only those tasks
    are compared that have it. Equivalence, when the study sets a `sesoi`, is tested at alpha over
    the number of contrasts (Bonferroni), for metrics that are counted as the primary one is: both
    as shares, or both not.
    """
    alpha = float(results.declared.get("alpha") or 0.05)
    places = dict.fromkeys(
        (row["a"], row["b"], model, task, metric)
        for row in results.declared.get("contrasts") or ()
        for task in ([row["task"]] if row.get("task") else results.tasks)
        for metric in _metric(results, row, task)
        for model in _models(results, row)
    )
    found = []
    for a, b, model, task, metric in places:
        sides = [results.sample(model, method, task, split, metric) for method in (a, b)]
        sesoi = results.declared.get("sesoi") if _alike(results.primary, metric) else None
        found.append(contrast(*sides, level=level, alpha=alpha / len(places), sesoi=sesoi))
    adjusted = holm([one.p_adjusted for one in found])
    return tuple(
        replace(one, p_adjusted=p, family=len(found), alpha=alpha)
        for one, p in zip(found, adjusted, strict=True)
    )


def _metric(results: Results, row: Mapping[str, Any], task: str) -> tuple[str, ...]:
    """Return the metric of a declaration on a task; nothing where the task does not have it."""
    named = row.get("metric") or results.primary
    if named == results.primary:
        return (results.primary_of(task),)
    own = results.measured(task)
    return (named,) if not own or named in own else ()


def _alike(a: str, b: str) -> bool:
    kinds = [load("smalltune.metrics", name) for name in (a, b)]
    return bool(kinds[0].percent == kinds[1].percent)


def _models(results: Results, row: Mapping[str, Any]) -> tuple[str, ...]:
    if row.get("model"):
        return (str(row["model"]),)
    sides = (row["a"], row["b"])
    used = {t.model for t in results.trials if t.method in sides} - {"-"}
    return tuple(model for model in results.models if model in used) or ("-",)


def _estimate(
    a: Sample,
    b: Sample,
    seeds: tuple[int | None, ...],
    values: Stats,
    found: Spread,
    level: float,
    left_out: tuple[str, ...],
) -> Estimate:
    value = float(values.mean()) if seeds else NAN
    low, high = interval(value, found, 0, level)
    return Estimate(
        model=a.model if a.model != "-" else b.model,
        method=f"{a.method} - {b.method}",
        task=a.task,
        split=a.split,
        metric=a.metric.name,
        value=value,
        low=low,
        high=high,
        se=math.sqrt(found.variance),
        df=found.df,
        sd=float(values.std(ddof=1)) if len(seeds) > 1 else NAN,
        level=level,
        levels=found.levels,
        seeds=0 if seeds == (None,) else len(seeds),
        items=len(a.items),
        per_seed=tuple(zip(seeds, values.tolist(), strict=True)),
        keys=tuple(dict.fromkeys((*a.keys, *b.keys))),
        gaps=left_out,
        groups=len(set(a.groups or b.groups)),
    )


def _larger(p: float, p_items: float) -> float:
    return NAN if math.isnan(p + p_items) else max(p, p_items)


def _p(value: float, found: Spread) -> float:
    """Return the two-sided p of the t-test that the two-level interval turns round."""
    from scipy.special import stdtr

    if not (found.variance > 0 and math.isfinite(value)):
        return NAN
    return float(2 * stdtr(found.df, -abs(value) / math.sqrt(found.variance)))
