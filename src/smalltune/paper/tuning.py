"""Tuning: what the search for hyperparameters took and what it chose, as numbers and tables.

They come from the searches that the results hold (`Results.tuning`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from smalltune.analysis.chances import unsure
from smalltune.analysis.results import Results
from smalltune.analysis.tuning import DECISIVE, Budget, Tuned, budget
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import cell, place_heading, table
from smalltune.paper.view import StudyView

__all__ = ["add_tuning", "chosen_table", "tuning_table"]

FIRST = "learning_rate"
PLANNED = "the plan of the study: its tuning"


def add_tuning(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add what each method's tuning took, and the rules of the study; nothing where none was."""
    searches = results.tuning
    if not searches:
        return
    names = Names(view)
    seeds = {one.seed for one in searches if one.seed is not None}
    rules = [("tuningExtend", view.extend, "runs that may follow beyond an edge, per search")]
    rules += [("tuningSeed", seed, "seed of all tuning runs") for seed in seeds]
    rules += [("tuningDecisive", DECISIVE, "runs below which a claim is said to rest on few")]
    for name, value, what in rules:
        numbers.add(Number(name, value, str(value), what, source="study file: tuning, or a rule"))
    for spent in results.budgets:
        own = [one for one in searches if one.method == spent.method]
        _spent(numbers, spent.method, spent, own)
    _spent(numbers, "total", budget("total", searches), searches)
    _chance(results, numbers)
    for one in searches:
        for words, number in _search(view, results, one):
            numbers.add(Number(names.of(*words, task=one.task, model=one.model), **number))


def _search(
    view: StudyView, results: Results, one: Tuned
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the words of a name and the number: runs, the best score on dev, what was chosen."""
    where = f"{one.method} on {one.task}"
    ids = tuple(run.cost.trial for run in one.runs)
    count, chosen = len(one.runs), one.chosen
    yield ("tuningRuns", one.method), {
        "value": count, "text": rounding.count(count), "what": f"tuning runs of {where}",
        "keys": one.keys, "trials": ids, "source": PLANNED,
    }  # fmt: skip
    if chosen is None:
        return
    by = {"keys": chosen.keys, "trials": (chosen.cost.trial,)}
    metric = view.metric(one.metric)
    yield ("tuningBest", one.method), {
        "value": chosen.score, "text": rounding.score(chosen.score, percent=metric.percent),
        "what": f"{metric.title} on dev of the run that was chosen, {where}",
        "unit": "%" if metric.percent else "", **by,
    }  # fmt: skip
    many = unsure(results, one)
    yield ("tuningUnsure", one.method), {
        "value": many, "text": f"{many}/{count - 1}", "keys": one.keys, "trials": ids,
        "what": f"other runs that are not reliably worse on dev than the chosen one, {where}",
    }  # fmt: skip
    for option, value in chosen.options.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield ("chosen", option, one.method), {
                "value": value, "text": rounding.setting(value),
                "what": f"{option} that was chosen for {where}", **by,
            }  # fmt: skip


def _chance(results: Results, numbers: Numbers) -> None:
    """Add in how many searches chance had a part: half of the other runs might be as good."""
    found = [(one, unsure(results, one)) for one in results.tuning if len(one.runs) > 1]
    moot = [one for one, many in found if many is not None and 2 * many >= len(one.runs) - 1]
    keys = tuple(dict.fromkeys(key for one, _ in found for key in one.keys))
    what = "searches in which half of the other runs, or more, are not reliably worse on dev"
    trials = tuple(run.cost.trial for one in moot for run in one.runs)
    text = rounding.count(len(moot))
    numbers.add(Number("tuningChance", len(moot), text, what, "", keys, trials))


def _spent(numbers: Numbers, word: str, spent: Budget, own: Sequence[Tuned]) -> None:
    trials = tuple(run.cost.trial for one in own for run in one.runs)
    of = "all methods" if word == "total" else spent.method
    large = spent.tokens >= 1e6
    tokens = rounding.millions(spent.tokens) if large else rounding.count(spent.tokens)
    rows = (
        ("Searches", spent.searches, rounding.count(spent.searches), "", "searches"),
        ("Runs", spent.trials, rounding.count(spent.trials), "", "tuning runs"),
        ("Beyond", spent.extended, rounding.count(spent.extended), "", "runs beyond an edge"),
        ("Tokens", spent.tokens, tokens, "million" if large else "", "tokens trained on"),
        ("Time", spent.seconds, *rounding.duration(spent.seconds), "running time of tuning"),
        ("CpuTime", spent.cpu_seconds, *rounding.duration(spent.cpu_seconds), "CPU time"),
        ("Energy", spent.energy_joules, *rounding.energy(spent.energy_joules), "energy"),
    )
    for what, value, text, unit, said in rows:
        name = macro_name(f"tuning{what}", word)
        about = f"{said}, {of}, over {spent.stored} of {spent.trials} runs"
        numbers.add(Number(name, value, text, about, unit, spent.keys, trials, PLANNED))


def tuning_table(view: StudyView, results: Results, numbers: Numbers) -> Tex | None:
    """Return what the tuning of each method took; None where nothing was tuned."""
    if not results.tuning:
        return None
    rows = []
    for word in [*(one.method for one in results.budgets), "total"]:
        title = "All" if word == "total" else str(escape(view.method(word).title))
        counts = [
            cell(numbers, macro_name(f"tuning{what}", word))
            for what in ("Searches", "Runs", "Beyond")
        ]
        spent = [rf"\{macro_name(f'tuning{w}', word)}" for w in ("Tokens", "Time", "CpuTime")]
        rows.append([title, *counts, *spent])
    caption = (
        "Budget of tuning by method: searches (one for each model and task), their runs, how many "
        "of these lie beyond an edge of the values that the search began with, the tokens that "
        "were trained on, and the running and CPU time of all runs, their predictions on dev "
        "included. Runs that another study had made are counted as if made anew."
    )
    head = ["Method", "Searches", "Runs", "Beyond", "Tokens", "Time", "CPU"]
    return table("tuning", caption, "l" + "r" * (len(head) - 1), head, rows)


def chosen_table(view: StudyView, results: Results, numbers: Numbers) -> Tex | None:
    """Return what each search chose and its score on dev; None where nothing is chosen yet."""
    names, rows, place = Names(view), [], ""
    done = [one for one in results.tuning if one.chosen]
    places = dict.fromkeys((one.task, one.model) for one in done)
    for one in sorted(done, key=lambda one: list(places).index((one.task, one.model))):

        def macro(*words: str, one: Tuned = one) -> str:
            return names.of(*words, one.method, task=one.task, model=one.model)

        before, place = place, place_heading(view, one.task, one.model)
        if len(places) > 1 and place != before:
            rows.append([place])
        options = dict(one.chosen.options) if one.chosen else {}
        rate = cell(numbers, macro("chosen", FIRST)) if options.pop(FIRST, None) else "--"
        others = [
            f"{escape(option.replace('_', ' '))} {_value(numbers, macro('chosen', option), value)}"
            for option, value in options.items()
        ]
        title = str(escape(view.method(one.method).title))
        best = cell(numbers, macro("tuningBest"))
        alike = cell(numbers, macro("tuningUnsure"))
        rows.append([title, rate, ", ".join(others) or "--", best, alike])
    caption = (
        "What tuning chose: the learning rate, the other values that were searched for, the "
        "score on dev of that run, by which it was chosen, so that it flatters the choice, and how "
        "many other runs of the search are not reliably worse there, since the "
        r"\intervalLevel{} interval of the difference, paired over dev's items, holds zero; "
        "another seed's chance is not counted."
    )
    if any(view.metric(one.metric).percent for one in done):
        caption += " What is a share is in percent under Dev."
    head = ["Method", "Learning rate", "Others", "Dev", "Not worse"]
    return table("chosen", caption, "lrlrr", head, rows) if rows else None


def _value(numbers: Numbers, name: str, value: Any) -> str:
    return cell(numbers, name) if name in numbers else str(escape(str(value)))
