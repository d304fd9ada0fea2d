"""Facts: the numbers that a study chose and its data have: counts, settings, sizes, rows."""

from collections.abc import Mapping
from typing import Any

from smalltune.analysis.results import Results
from smalltune.core.errors import DataError, StoreError
from smalltune.paper import rounding
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.view import StudyView, TaskView

__all__ = ["MODEL_FACTS", "SPLITS", "add_facts", "made_by"]

# What a model may tell of itself, in the order of the paper's table.
MODEL_FACTS: Mapping[str, str] = {
    "parameters": "parameters",
    "embedding_parameters": "of these in the embedding",
    "layers": "layers",
    "hidden": "hidden size",
    "heads": "attention heads",
    "context": "context (tokens)",
    "vocabulary": "vocabulary",
    "pretraining_tokens": "tokens of pre-training",
}
SPLITS = ("train", "dev", "test")


def add_facts(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add every number that was chosen or counted, not measured by an experiment."""
    _study(view, results, numbers)
    _models(view, numbers)
    _settings(view, numbers)
    _machine(results, numbers)
    for task in view.tasks:
        _data(view, results, task, numbers)


def _study(view: StudyView, results: Results, numbers: Numbers) -> None:
    trained = sum(1 for trial in results.trials if trial.train)
    done = len(results.trials) - len({gap.trial for gap in results.missing})
    counts = {
        "seedsCount": (len(view.seeds), "paired seeds of the study"),
        "methodsCount": (len(view.methods), "methods of the study"),
        "tasksCount": (len(view.tasks), "tasks of the study"),
        "modelsCount": (len(view.models), "base models of the study"),
        "contrastsCount": (len(view.contrasts), "contrasts declared before the runs"),
        "trialsCount": (len(results.trials), "trials that the study plans"),
        "trialsDone": (done, "trials whose scores are all there"),
        "trainingsCount": (trained, "trials that train a model by gradient descent"),
    }
    for name, (value, what) in counts.items():
        numbers.add(
            Number(name, value, rounding.count(value), what, source="study file: the lists of it")
        )
    alpha = float(results.declared.get("alpha") or 0.05)
    numbers.add(
        Number("testLevel", alpha, rounding.setting(alpha), "level of the tests", source="analysis")
    )
    numbers.add(
        Number("intervalLevel", 0.95, "95", "level of intervals", "%", source="analysis.intervals")
    )
    sesoi = results.declared.get("sesoi")
    if sesoi:
        percent = view.metric(view.primary).percent
        text = rounding.score(float(sesoi), percent=percent)
        unit = "points" if percent else ""
        what = "smallest effect of interest: smaller differences are not called better or worse"
        numbers.add(Number("smallestEffect", sesoi, text, what, unit, source="study file: sesoi"))


def _models(view: StudyView, numbers: Numbers) -> None:
    for model in view.models:
        facts = dict(model.facts)
        if {"parameters", "embedding_parameters"} <= facts.keys():
            facts["body_parameters"] = facts["parameters"] - facts["embedding_parameters"]
        for fact, value in facts.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            what = f"{MODEL_FACTS.get(fact, fact.replace('_', ' '))} of {model.name}"
            source = f"model {model.name}: its configuration and weights"
            name = macro_name("model", fact, model.name)
            numbers.add(Number(name, value, rounding.count(value), what, source=source))
            if value >= 100_000:
                text = rounding.millions(value)
                numbers.add(Number(f"{name}Millions", value, text, what, "million", source=source))


def _settings(view: StudyView, numbers: Numbers) -> None:
    """Add `settingLoraRank` and its like; what is no number is printed as text elsewhere."""
    for method in view.methods:
        for option, value in {**method.training, **method.options}.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            numbers.add(
                Number(
                    macro_name("setting", method.name, option),
                    value,
                    rounding.setting(value),
                    f"{option} of {method.name}",
                    source=f"study file: methods.{method.name}.{option}, training or a default",
                )
            )
    for option, value in view.training.items():
        if not isinstance(value, bool) and isinstance(value, int | float):
            name, source = macro_name("setting", "shared", option), f"study file: training.{option}"
            numbers.add(Number(name, value, rounding.setting(value), option, source=source))


def _machine(results: Results, numbers: Numbers) -> None:
    machine: Mapping[str, Any] = made_by(results).get("machine") or {}
    cores, memory = machine.get("cores"), machine.get("memory_bytes")
    source = "provenance of the first stored trial"
    text = rounding.count(cores)
    numbers.add(Number("machineCores", cores, text, "processor cores", source=source))
    text = rounding.millions(memory / 1000) if memory else rounding.DASH
    numbers.add(Number("machineMemory", memory, text, "main memory", "GB", source=source))


def made_by(results: Results) -> Mapping[str, Any]:
    """Return the provenance of the first stored trial, a trained one where there is one."""
    trained = [t.train for t in results.trials if t.train]
    predicted = [key for t in results.trials for key in t.predict.values()]
    stored = [key for key in (*trained, *predicted) if results.store.known(key)]
    return results.store.provenance(stored[0]) if stored else {}


def _data(view: StudyView, results: Results, task: TaskView, numbers: Numbers) -> None:
    try:
        facts = results.data_facts(task.name)
    except (DataError, StoreError):
        return  # not prepared yet: its numbers print as dashes
    keys = tuple(dict.fromkeys(t.data for t in results.trials if t.task == task.name and t.data))
    names = Names(view)
    for split, found in facts["splits"].items():
        for name, value, text, what in _split(names, task, split, found):
            source = f"prepare: facts.json, splits.{split}"
            numbers.add(Number(name, value, text, what, keys=keys, source=source))
    counts: dict[str, tuple[int, str]] = {
        names.of("labels", task=task.name): (len(task.labels), f"labels of {task.name}"),
        names.of("dropped", task=task.name): (
            sum(facts["dropped"].values()),
            f"rows of {task.name} dropped from training data: {facts['dropped']}",
        ),
    }
    for reason, value in facts["dropped"].items():
        counts[names.of("dropped", reason, task=task.name)] = (value, f"rows dropped: {reason}")
    for split, value in task.limit.items():
        what = f"rows of the {split} split of {task.name} that each seed draws"
        counts[names.of("limit", split, task=task.name)] = (value, what)
    for name, (value, what) in counts.items():
        numbers.add(Number(name, value, rounding.count(value), what, keys=keys))


def _split(
    names: Names, task: TaskView, split: str, found: Mapping[str, Any]
) -> list[tuple[str, Any, str, str]]:
    """Return name, value, text and meaning of each number of a split."""
    where = f"in the {split} split of {task.name}"
    rows = found["rows"]
    share = max(found["labels"].values(), default=0) / rows if rows else float("nan")
    made = [
        (names.of("rows", split, task=task.name), rows, rounding.count(rows), f"rows {where}"),
        (
            names.of("words", split, task=task.name),
            found["words_mean"],
            rounding.mean(found["words_mean"]),
            f"mean number of words per row {where}",
        ),
        (
            names.of("longest", split, task=task.name),
            found["words_max"],
            rounding.count(found["words_max"]),
            f"words of the longest row {where}",
        ),
        (
            names.of("largest", "label", split, task=task.name),
            share,
            rounding.score(share, percent=True) + r"\,\%",
            f"share of the most frequent label {where}",
        ),
    ]
    for label, value in found["labels"].items():
        name = names.of("rows", split, label, task=task.name)
        made.append((name, value, rounding.count(value), f"rows labelled {label} {where}"))
    return made
