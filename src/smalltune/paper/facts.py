"""Facts: the numbers that a study chose or that come with it: counts, settings, sizes, machine."""

from collections.abc import Mapping
from typing import Any

from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.asking import add_asking
from smalltune.paper.counts import add_counts
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.settings import add_settings
from smalltune.paper.shown import add_shown
from smalltune.paper.view import MODEL_FACTS, StudyView

__all__ = ["add_facts", "made_by"]


def add_facts(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add every number that was chosen or counted, not measured by an experiment."""
    _study(view, results, numbers)
    _models(view, numbers)
    add_settings(view, results, numbers)
    _machine(results, numbers)
    add_counts(view, results, numbers)
    add_asking(view, numbers)
    add_shown(view, results, numbers)


def _study(view: StudyView, results: Results, numbers: Numbers) -> None:
    trained = sum(1 for trial in results.trials if trial.train)
    done = len(results.trials) - len({gap.trial for gap in results.missing})
    counts = {
        "seedsCount": (len(view.seeds), "seeds of the study"),
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
