"""Measures: the numbers that experiments gave: scores with intervals, contrasts, costs."""

import math
from collections.abc import Iterable

from smalltune.analysis.contrasts import Contrast, declared
from smalltune.analysis.costs import Cost
from smalltune.analysis.foretold import WORDS, accuracies
from smalltune.analysis.intervals import Estimate, estimates
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.view import MetricView, StudyView

__all__ = ["add_contrasts", "add_costs", "add_scores", "interval_text"]

NAN = float("nan")
ADDED = "added up over all jobs of the trials, without preparation and tokenisation"
HOW = {
    ("seeds", "items"): "two-level interval over seeds and test items",
    ("items",): "interval over test items",
    ("seeds",): "interval over seeds",
    (): "no interval: a single value",
}


def add_scores(view: StudyView, results: Results, numbers: Numbers) -> tuple[Estimate, ...]:
    """Add each cell's mean, interval and spread on test and dev; return the test estimates."""
    names, found = Names(view), {}
    for split in ("test", "dev"):
        if split in results.splits:
            found[split] = estimates(results, split)
            for one in found[split]:
                _score(view.metric(one.metric), one, names, results, numbers)
    return found.get("test", ())


def score_name(names: Names, one: Estimate, *more: str) -> str:
    """Return the name of an estimate's number: `accuracyLoraReviews`, on dev with `Dev`."""
    dev = () if one.split == "test" else (one.split,)
    return macro_name(names.of(one.metric, one.method, task=one.task, model=one.model), *dev, *more)


def _score(
    metric: MetricView, one: Estimate, names: Names, results: Results, numbers: Numbers
) -> None:
    unit = "%" if metric.percent else ""
    cell = (one.model, one.method, one.task)
    trials = tuple(
        t.id for t in results.trials if (t.model, t.method, t.task) == cell and t.id not in one.gaps
    )
    runs = f"mean over {one.seeds} seeds" if one.seeds else "one run without a seed"
    what = f"{metric.title} of {one.method} on {one.split} of {one.task}, {runs}"

    def add(
        value: object, text: str, said: str, *more: str, unit: str = unit, only: str = ""
    ) -> None:
        name = score_name(names, one, *more)
        keys = tuple(k for k, t in zip(one.keys, trials, strict=True) if only in ("", t))
        made_by = (only,) if only else trials
        numbers.add(Number(name, value, text, said, unit, keys, made_by))

    def shown(value: float) -> str:
        return rounding.score(value, percent=metric.percent)

    add(one.value, shown(one.value), what)
    add(one.low, shown(one.low), f"lower end of the 95 % interval of: {what}", "low")
    add(one.high, shown(one.high), f"upper end of the 95 % interval of: {what}", "high")
    add(one.sd, shown(one.sd), f"standard deviation over seeds of: {what}", "sd", unit="")
    count = rounding.count(one.seeds)
    add(one.seeds, count, f"number of seeds behind: {what}", "seeds", unit="")
    if one.split == "test":
        for (seed, value), trial in zip(one.per_seed, trials, strict=True):
            if seed is not None:
                said = f"seed {seed} alone, of: {what}"
                add(value, shown(value), said, "seed", str(seed), only=trial)
    how = _how(one)
    span = interval_text(shown(one.low), shown(one.high))
    add([one.low, one.high], span, f"95 % {how}, of: {what}", "interval")
    tail = f" ({rounding.CI} {span}{_unit(unit, span)})" if span != rounding.DASH else ""
    text = f"{shown(one.value)}{_unit(unit, shown(one.value))}{tail}"
    values = [one.value, one.low, one.high]
    add(values, text, f"{what}, with its 95 % {how}", "with", "interval", unit="")


def add_contrasts(view: StudyView, results: Results, numbers: Numbers) -> tuple[Contrast, ...]:
    """Add difference, interval and p-values of each declared contrast; return the contrasts."""
    found = declared(results)
    family = rounding.count(len(found))
    what = "contrasts over all tasks and models, corrected for as one family"
    numbers.add(Number("familyCount", len(found), family, what, source="study file: contrasts"))
    for one in found:
        _contrast(view, one, results, numbers)
    return found


def contrast_name(view: StudyView, one: Contrast, *more: str) -> str:
    """Return `loraAgainstFullReviews`; another metric than the task's primary one is named too."""
    names, at = Names(view), one.estimate
    metric = () if at.metric == view.primary_of(at.task) else (at.metric,)
    base = names.of(one.a, "against", one.b, task=at.task, model=at.model)
    return macro_name(*([more[0]] if more else []), base, *metric, *more[1:])


def _contrast(view: StudyView, one: Contrast, results: Results, numbers: Numbers) -> None:
    metric, at = view.metric(one.estimate.metric), one.estimate
    unit = "points" if metric.percent else ""
    what = f"{metric.title} of {one.a} minus {one.b} on {at.task}, {one.pairing}"
    trials = tuple(
        t.id
        for t in results.trials
        if t.method in (one.a, one.b)
        and t.task == at.task
        and t.model in (at.model, "-")
        and t.id not in one.left_out
    )

    def add(value: object, text: str, said: str, *name: str, unit: str = "") -> None:
        numbers.add(
            Number(contrast_name(view, one, *name), value, text, said, unit, one.keys, trials)
        )

    mean = rounding.difference(at.value, percent=metric.percent)
    low, high = (rounding.bound(end, percent=metric.percent) for end in (at.low, at.high))
    add(at.value, mean, what, "difference", unit=unit)
    add(at.low, low, f"lower end of the interval of: {what}", "difference", "low")
    add(at.high, high, f"upper end of the interval of: {what}", "difference", "high")
    span = interval_text(low, high)
    how = _how(at)
    add([at.low, at.high], span, f"95 % {how}, of: {what}", "difference", "interval", unit=unit)
    ps = {
        "p": (one.p, "exact two-sided sign-flip p over seeds"),
        "pItems": (one.p_items, f"p of the {_how(at)}"),
        "pAdjusted": (one.p_adjusted, f"the larger p, adjusted after Holm for {one.family}"),
        "pSmallest": (one.smallest_p, "least p that the exact test can give with these seeds"),
    }
    for word, (value, said) in ps.items():
        add(value, rounding.p_value(value, level=one.alpha), f"{said}, of: {what}", word)
    add(
        one.verdict, rf"\emph{{{one.verdict}}}", f"verdict by interval and p, of: {what}", "verdict"
    )


def add_costs(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add the cost of a trial of each method (mean over seeds) and of the whole study."""
    names = Names(view)
    for cell in results.cells:
        group = [c for c in results.costs if (c.model, c.method, c.task) == cell and c.parts]
        _costs(names, cell, group, numbers)
    _total(results, numbers)
    _foretold(results, numbers)


def _foretold(results: Results, numbers: Numbers) -> None:
    """Add how many times as much as was measured had been forecast, where anything was."""
    for one in accuracies(results.costs, results.trials):
        keys = tuple(k for c in results.costs if c.trial in one.trials for k in c.keys)
        word = "forecast" + WORDS[one.what].title().replace(" ", "")
        over = f"{WORDS[one.what]}, forecast before the runs over measured"
        for name, value, what in (
            (word, one.median, f"median of {over}"),
            (f"{word}Low", one.low, f"least of {over}"),
            (f"{word}High", one.high, f"most of {over}"),
        ):
            text = rounding.ratio(value)
            numbers.add(Number(name, value, text, what, "", keys, one.trials))
        count = len(one.trials)
        said = f"trials whose {WORDS[one.what]} was forecast"
        numbers.add(Number(f"{word}Trials", count, rounding.count(count), said, "", keys))


def _costs(names: Names, cell: tuple[str, str, str], group: list[Cost], numbers: Numbers) -> None:
    model, method, task = cell
    trials, keys = tuple(c.trial for c in group), tuple(k for c in group for k in c.keys)
    train, cpu = _mean(c.train_seconds for c in group), _mean(c.cpu_seconds for c in group)
    predict = _mean(c.predict_seconds for c in group)
    memory = max((c.peak_memory_bytes for c in group), default=NAN)
    trained = group[0].trainable_parameters if group else NAN
    total = group[0].total_parameters if group else NAN
    share = trained / total if total else NAN
    rows = (
        ("trainTime", train, *rounding.duration(train), "mean wall time of training"),
        ("cpuTime", cpu, *rounding.duration(cpu), "mean CPU time of training and all predictions"),
        (
            "predictTime",
            predict,
            *rounding.duration(predict),
            "mean time to predict the test split",
        ),
        ("peakMemory", memory, rounding.megabytes(memory), "MB", "highest memory of a process"),
        ("trainable", trained, rounding.count(trained), "", "trainable parameters"),
        ("trainableShare", share, rounding.score(share, percent=True), "%", "trainable share"),
    )
    for word, value, text, unit, what in rows:
        name = names.of(word, method, task=task, model=model)
        said = f"{what}, {method} on {task}, over {len(group)} trials"
        numbers.add(Number(name, value, text, said, unit, keys, trials))


def _total(results: Results, numbers: Numbers) -> None:
    everything = [cost for cost in results.costs if cost.parts]
    spent, trials = results.spent, tuple(cost.trial for cost in everything)
    wall, cpu, energy = spent.seconds, spent.cpu_seconds, spent.energy_joules
    source = ", ".join(dict.fromkeys(c.energy_source for c in everything if c.energy_source))
    of_all = f"energy of all trials ({source or 'unknown'})"
    rows = (
        ("wallTimeTotal", wall, *rounding.duration(wall), f"running time {ADDED}"),
        ("cpuTimeTotal", cpu, *rounding.duration(cpu), f"CPU time {ADDED}"),
        ("energyTotal", energy, *rounding.energy(energy), of_all),
    )
    for name, value, text, unit, what in rows:
        numbers.add(Number(name, value, text, what, unit, spent.keys, trials))


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else NAN


def interval_text(low: str, high: str) -> str:
    """Return the ends of an interval in words, or a dash where there are none."""
    return low if low == rounding.DASH else f"{low} to {high}"


def _how(one: Estimate) -> str:
    """Return what an interval covers, in words."""
    return HOW[one.levels].replace(
        "test items", "groups of test items" if one.groups else "test items"
    )


def _unit(unit: str, text: str) -> str:
    return r"\,\%" if unit == "%" and text != rounding.DASH else ""
