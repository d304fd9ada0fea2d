"""Context: what the templates may use: the study, its numbers as macros, tables and figures."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from smalltune.analysis.contrasts import Contrast
from smalltune.analysis.intervals import Estimate
from smalltune.analysis.results import Results
from smalltune.core.errors import DataError, StoreError
from smalltune.paper import appendix, tables
from smalltune.paper.claims import Claim
from smalltune.paper.escape import Tex, escape, identifier
from smalltune.paper.examples import example_table
from smalltune.paper.facts import made_by
from smalltune.paper.measures import contrast_name
from smalltune.paper.naming import Names, enumerate_words, heading, inline
from smalltune.paper.numbers import Numbers
from smalltune.paper.rounding import DASH
from smalltune.paper.sections import SECTIONS
from smalltune.paper.view import StudyView

__all__ = ["context"]

FIGURES = ("scores", "contrast", "curves")  # those that a template places itself
SOFTWARE = ("torch", "transformers", "peft", "scikit-learn")


def context(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    *,
    scores: Sequence[Estimate],
    contrasts: Sequence[Contrast],
    claims: Sequence[Claim],
    figures: Mapping[str, Tex],
    bibliography: Collection[str],
) -> dict[str, Any]:
    """Return the values and functions that a template can name."""
    names = Names(view)

    def num(*words: str, task: str = "", model: str = "") -> Tex:
        name = names.of(*words, task=task, model=model)
        return Tex(f"\\{name}{{}}" if name in numbers else DASH)

    def cite(keys: Sequence[str]) -> Tex | None:
        known = [key for key in keys if key in bibliography]
        return Tex(rf"\citet{{{','.join(known)}}}") if known else None

    made = made_by(results)
    between = {contrast_name(view, one, "claim"): _between(view, one) for one in contrasts}
    return {
        "view": view,
        "version": view.version,
        "title_plain": _plain(view.title),
        "author_plain": _plain(view.author),
        "sections": [(Tex(name), title) for name, title in SECTIONS.items() if title],
        "complete": results.complete,
        "missing": sorted({gap.trial for gap in results.missing}),
        "claims": claims,
        "claim_macro": lambda claim: Tex(f"\\{claim.name}"),
        "between": lambda claim: between[claim.name],
        "whichever": lambda claim: Tex(rf"\whichever{{{claim.name}}}"),
        "has_contrasts": bool(contrasts),
        "several_contrasts": len(contrasts) > 1,
        "smallest": _smallest(view, contrasts),
        "one_task": len(view.tasks) == 1,
        "method_titles": [inline(method.title) for method in view.methods],
        "model_titles": [model.title for model in view.models],
        "task_titles": [task.title for task in view.tasks],
        "measures": _measures(view),
        "device": str(made.get("device") or "").upper(),
        "software": _software(view, made),
        "mixtures": appendix.mixture_lines(results),
        "dropped": lambda task: _dropped(results, task),
        "curves": "curves" in figures,
        "words": enumerate_words,
        "quoted": lambda words: enumerate_words(Tex(f"``{escape(word)}''") for word in words),
        "inline": inline,
        "heading": heading,
        "listing": lambda words: Tex(", ".join(escape(word) for word in words)),
        "identifier": identifier,
        "link": _link,
        "num": num,
        "cite": cite,
        "tables": _tables(view, results, numbers, scores, contrasts),
        "figures": {name: figures.get(name) for name in FIGURES}
        | {"others": [figures[n] for n in figures if n not in FIGURES[:2]]},
    }


def _tables(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    scores: Sequence[Estimate],
    contrasts: Sequence[Contrast],
) -> dict[str, Tex | None]:
    return {
        "data": tables.data_table(view, numbers),
        "models": tables.model_table(view, numbers) if view.models else None,
        "scores": tables.score_table(view, scores, numbers),
        "contrasts": tables.contrast_table(view, contrasts, numbers) if contrasts else None,
        "costs": tables.cost_table(view, results, numbers),
        "examples": example_table(view, results, numbers),
        "settings": appendix.setting_tables(view, numbers),
        "environment": appendix.environment_table(view, results),
        "provenance": appendix.provenance_tables(view, results, numbers),
    }


def _between(view: StudyView, one: Contrast) -> Tex:
    """Return a contrast as the start of a sentence: `LoRA and full fine-tuning on Reviews`."""
    titles = [view.method(one.a).title, inline(view.method(one.b).title)]
    at, metric = one.estimate, inline(view.metric(one.estimate.metric).title)
    task = next((t.title for t in view.tasks if t.name == at.task), at.task)
    model = next((m.title for m in view.models if m.name == at.model), at.model)
    where = escape(task) + (Tex(f" with {escape(model)}") if len(view.models) > 1 else "")
    return Tex(f"{enumerate_words(titles)} on {where}, {escape(metric)}")


def _smallest(view: StudyView, contrasts: Sequence[Contrast]) -> str:
    """Return the macro of the least exact p, or nothing where no seeds are paired."""
    if not contrasts or math.isnan(contrasts[0].smallest_p):
        return ""
    return Tex(f"\\{contrast_name(view, contrasts[0], 'pSmallest')}")


def _measures(view: StudyView) -> str:
    known = {
        "accuracy": "Accuracy is the share of items whose most likely label is the right one.",
        "macro_f1": "Macro-F1 is the mean of the labels' F1 scores, each label counting the same.",
        "nll": "The negative log-likelihood of the right label, in nats per item, also sees how "
        "sure a method is; lower is better.",
    }
    return " ".join(known.get(m.name, f"We report {m.title.lower()}.") for m in view.metrics)


def _software(view: StudyView, made: Mapping[str, Any]) -> Tex:
    packages = made.get("packages") or view.environment
    listed = [f"{name} {packages[name]}" for name in SOFTWARE if name in packages]
    return enumerate_words(listed or ["the packages of the lock"])


def _dropped(results: Results, task: str) -> str:
    """Return why rows were dropped, or nothing where none were."""
    try:
        facts = results.data_facts(task)
    except (DataError, StoreError):
        return ""
    return "; ".join(reason for reason, count in facts["dropped"].items() if count)


def _link(address: str) -> Tex:
    """Return a link to an address on the web; anything else is printed as a name."""
    if address.startswith(("https://", "http://")) and not set(address) & set('\\{}^ "<>`|'):
        safe = address.replace("%", r"\%").replace("#", r"\#").replace("~", r"\string~")
        return Tex(rf"\url{{{safe}}}")
    return identifier(address)


def _plain(text: str) -> Tex:
    """Return text for the PDF's own record of title and author: ASCII without commands."""
    return Tex(
        escape("".join(c for c in text if c.isascii() and (c.isalnum() or c in " .,:-()'"))[:200])
    )
