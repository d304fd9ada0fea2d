"""Confidence intervals that cover both sources of chance: the seeds and the test items.

The seeds trained and the items tested are two crossed samples: another seed would have given other
scores, and so would another test set. The variance of a mean over both is that of a two-way layout
with random rows and columns: V = V_seeds + V_items - V_interaction, since each of the first two
holds the interaction once. A metric that is no mean (macro-F1) is made one by the jackknife: with
f(s) the value for seed s and f(s, -i) the same without item i, n f(s) - (n-1) f(s, -i) is the
item's share in it (Tukey 1958; Efron and Stein 1981).

Questions about one passage, or passages of one article, are right and wrong together: such items
were drawn as a group, so a group is left out as a whole and counts as one (Miller 2024; the
delete-one-group jackknife of cluster sampling). Simulated with 6 seeds and 12 or 40 groups of 2 to
30 items that share a third of their variance, this covered 93 to 96 %; items taken for independent
covered 64 % where seeds differ little and 91 % where they differ most.

The degrees of freedom are Satterthwaite's (1946), and a metric with two bounds gets Wilson's (1927)
interval at the effective number of items, which never leaves the bounds. The rival is the
two-level ("pigeonhole") percentile bootstrap: Owen (2007), Sellam et al. (2022). Simulated with 6
seeds and 150 to 900 items at a nominal 95 %, this interval covered 93 to 97 % for accuracy,
macro-F1 and log-likelihood. The bootstrap covered 97 to 98.5 % where seeds differ little, since it
counts the interaction twice, and 87 to 91 % where they differ by four points of accuracy and items
are many, since six seeds do not make its tails. So this one is kept; it also needs no random
numbers. With 2 or 3 seeds that differ much it covers 88 to 93 %: such studies need more seeds.
`tests/analysis` repeats the comparison.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from smalltune.analysis.records import Sample
from smalltune.analysis.results import Results
from smalltune.metrics import Stats

__all__ = ["LEVEL", "Estimate", "Spread", "estimate", "estimates", "interval", "shares", "spread"]

LEVEL = 0.95
NAN = float("nan")


@dataclass(frozen=True)
class Spread:
    """The variance of a mean over seeds and items, its degrees of freedom, and what it covers.

    `levels` is ("seeds", "items"), ("items",) for one seed, ("seeds",) for one item, or ().
    """

    variance: float
    df: float
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """The mean over seeds of a metric, with an interval; undefined is NaN.

    `levels` says which sources of chance the interval covers. `se` is the standard error over
    those, `sd` the standard deviation of `per_seed` alone, `seeds` counts the seeds (0 for a
    method without a seed axis), `keys` are the scores behind it, `gaps` the trials not there.
    `groups` counts the groups that the items belong to, 0 where each stands by itself.
    """

    model: str
    method: str
    task: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    se: float
    df: float
    sd: float
    level: float
    levels: tuple[str, ...]
    seeds: int
    items: int
    per_seed: tuple[tuple[int | None, float], ...]
    keys: tuple[str, ...]
    gaps: tuple[str, ...]
    groups: int = 0

    @property
    def covers(self) -> tuple[str, ...]:
        """What the interval covers, in words."""
        what = "groups of items" if self.groups else "items"
        return tuple(what if level == "items" else level for level in self.levels)


@np.errstate(invalid="ignore")  # an infinite loss has no spread: NaN, without a warning
def estimate(sample: Sample, level: float = LEVEL) -> Estimate:
    """Return the sample's mean over seeds with its two-level interval.

    With one seed, or a method without a seed axis, the interval covers the items only. A value
    that does not vary at all has no interval unless it lies on one of the metric's bounds.
    """
    values = sample.per_seed
    seeds, items, groups = len(sample.seeds), len(sample.items), len(set(sample.groups))
    value = float(values.mean()) if seeds else NAN
    found = _NOTHING
    if seeds:
        found = spread(values, shares(sample.stats, sample.metric.combine, sample.groups))
    low, high = interval(value, found, groups or items, level, sample.metric.bounds)
    return Estimate(
        model=sample.model,
        method=sample.method,
        task=sample.task,
        split=sample.split,
        metric=sample.metric.name,
        value=value,
        low=low,
        high=high,
        se=math.sqrt(found.variance),
        df=found.df,
        sd=float(values.std(ddof=1)) if seeds > 1 else NAN,
        level=level,
        levels=found.levels,
        seeds=seeds if sample.seeded else 0,
        items=items,
        per_seed=tuple(zip(sample.seeds, values.tolist(), strict=True)),
        keys=sample.keys,
        gaps=sample.gaps,
        groups=groups,
    )


def estimates(results: Results, split: str = "test", level: float = LEVEL) -> tuple[Estimate, ...]:
    """Return the estimate of every cell of the study on a split, for each metric of its task."""
    return tuple(
        estimate(results.sample(model, method, task, split, metric), level)
        for model, method, task in results.cells
        for metric in results.measured(task)
    )


def shares(stats: Stats, combine: Callable[[Stats], Stats], groups: Sequence[str] = ()) -> Stats:
    """Return each item's share in the value of each seed, [seeds, items], by the jackknife.

    `stats` is [seeds, items, k]. For a metric that is a mean the shares are the items' own values;
    for any other their mean is the value, less the jackknife's estimate of its bias. With `groups`,
    a name for each item, they are the shares of the groups, [seeds, groups].
    """
    items = stats.shape[1]
    if items < 2:
        return np.asarray(combine(stats), dtype=np.float64)
    place = np.unique(groups, return_inverse=True)[1] if len(groups) else np.arange(items)
    sizes = np.bincount(place)
    units = len(sizes)
    if units < 2:
        return np.asarray(combine(stats.mean(axis=1)), dtype=np.float64)[:, None]
    rows = []
    for one in stats:  # seed by seed: memory stays that of one score
        total, sums = one.sum(axis=0), one
        if units < items:
            sums = np.zeros((units, one.shape[1]))
            np.add.at(sums, place, one)
        without = combine((total - sums) / (items - sizes)[:, None])
        rows.append(units * combine(total / items) - (units - 1) * without)
    return np.stack(rows)


def spread(values: Stats, parts: Stats) -> Spread:
    """Return the variance of the mean of `values` [seeds], given the items' `parts` in them.

    `parts` is [seeds, items]. The interaction is taken off once, but the result is never below
    the larger of the two levels: with few seeds the estimate of the interaction is itself noisy.
    """
    seeds, items = parts.shape
    by_seed = float(values.var(ddof=1)) / seeds if seeds > 1 else NAN
    by_item = float(parts.mean(axis=0).var(ddof=1)) / items if items > 1 else NAN
    if seeds < 2 or items < 2:
        levels = (("seeds",) if seeds > 1 else ()) + (("items",) if items > 1 else ())
        return Spread(by_seed if seeds > 1 else by_item, max(seeds, items) - 1, levels)
    rest = parts - parts.mean(axis=1, keepdims=True) - parts.mean(axis=0) + parts.mean()
    crossed = (seeds - 1) * (items - 1)
    interaction = float((rest**2).sum()) / crossed / (seeds * items)
    variance = max(by_seed + by_item - interaction, by_seed, by_item)
    terms = by_seed**2 / (seeds - 1) + by_item**2 / (items - 1) + interaction**2 / crossed
    df = variance**2 / terms if terms > 0 else float(items - 1)
    return Spread(variance, df, ("seeds", "items"))


def interval(
    value: float,
    found: Spread,
    items: int,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Return the ends of the interval; both are NaN where it is undefined.

    With two finite bounds it is Wilson's at the number of independent items that would give this
    variance. On a bound (every answer right) there is no variance, and the items, or the groups
    that they belong to, count as they are.
    """
    from scipy.special import stdtrit

    if not (math.isfinite(value) and math.isfinite(found.variance) and found.df > 0):
        return NAN, NAN
    width = bounds[1] - bounds[0]
    t = float(stdtrit(found.df, 0.5 + level / 2))
    if not math.isfinite(width):
        half = t * math.sqrt(found.variance)
        if not half > 0:
            return NAN, NAN
        return max(value - half, bounds[0]), min(value + half, bounds[1])
    share = (value - bounds[0]) / width
    variance, most = found.variance / width**2, share * (1 - share)
    if min(variance, most) <= TINY and max(variance, most) > TINY:
        return NAN, NAN
    many = most / variance if variance > TINY else float(items)
    weight = t * t / many
    centre = (share + weight / 2) / (1 + weight)
    half = t * math.sqrt(most / many + weight / many / 4) / (1 + weight)
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return bounds[0] + width * low, bounds[0] + width * high


TINY = 1e-18
_NOTHING = Spread(NAN, NAN, ())
