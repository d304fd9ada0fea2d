"""Context: what the templates may use: the study, its numbers as macros, tables and figures."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from smalltune.analysis.contrasts import Contrast
from smalltune.analysis.intervals import Estimate
from smalltune.analysis.results import Results
from smalltune.paper import appendix, cards, quoted, settings, tables
from smalltune.paper.answers import Answers, answer_tables, one_sided
from smalltune.paper.asking import answering, asking, chatting, cut
from smalltune.paper.categories import category_tables
from smalltune.paper.claims import Claim
from smalltune.paper.counts import passed
from smalltune.paper.elsewhere import Elsewhere, elsewhere_sentences, elsewhere_table
from smalltune.paper.escape import Tex, escape, identifier, link
from smalltune.paper.examples import example_tables
from smalltune.paper.explained import explained
from smalltune.paper.facts import made_by
from smalltune.paper.floors import Floor, floor_sentences
from smalltune.paper.measures import contrast_name
from smalltune.paper.moved import Move, moved_sentences, moved_table
from smalltune.paper.naming import MANY, Names, enumerate_words, heading, inline
from smalltune.paper.numbers import Numbers, macro_name
from smalltune.paper.rounding import DASH
from smalltune.paper.score_tables import score_names, score_tables
from smalltune.paper.sections import SECTIONS
from smalltune.paper.shown import shown_fewer
from smalltune.paper.tuning import chosen_table, tuning_table
from smalltune.paper.tuning_words import tuning_words
from smalltune.paper.view import MethodView, StudyView

__all__ = ["context"]

FIGURES = (
    "scores",
    "contrast",
    "curves",
    "lengths",
    "budget",
    "learning_rates",
)  # those that a template places itself
SOFTWARE = ("torch", "transformers", "peft", "scikit-learn")


def context(
    view: StudyView,
    results: Results,
    numbers: Numbers,
    *,
    scores: Sequence[Estimate],
    contrasts: Sequence[Contrast],
    claims: Sequence[Claim],
    floors: Sequence[Floor],
    answers: Sequence[Answers],
    moves: Sequence[Move],
    elsewhere: Sequence[Elsewhere],
    figures: Mapping[str, Tex],
    bibliography: Collection[str],
) -> dict[str, Any]:
    """Return the values and functions that a template can name."""
    names = Names(view)

    def num(*words: str, task: str = "", model: str = "") -> Tex:
        name = names.of(*words, task=task, model=model)
        return Tex(f"\\{name}{{}}" if name in numbers else DASH)

    def has(*words: str, task: str = "", model: str = "") -> bool:
        name = names.of(*words, task=task, model=model)
        return name in numbers and numbers[name].text != DASH

    def some(*words: str, task: str = "", model: str = "") -> bool:
        return has(*words, task=task, model=model) and bool(
            numbers[names.of(*words, task=task, model=model)].value
        )

    def alone(*words: str, task: str) -> bool:
        return has(*words, task=task) and numbers[names.of(*words, task=task)].value == 1

    def cite(keys: Sequence[str]) -> Tex | None:
        known = [key for key in keys if key in bibliography]
        return Tex(rf"\citet{{{','.join(known)}}}") if known else None

    made = made_by(results)
    told = ("tokens", "turns", "dropped", "test")
    spoken = [
        t.name for t in view.tasks for m in view.models if has(*told, task=t.name, model=m.name)
    ]
    between = {contrast_name(view, one, "claim"): _between(view, one) for one in contrasts}
    examples = example_tables(view, results, numbers)
    shares = answer_tables(view, answers, numbers)
    errors = category_tables(view, results, numbers)
    return {
        "view": view,
        "version": view.version,
        "title_plain": _plain(view.title),
        "author_plain": _plain(view.author),
        "sections": [(Tex(name), title) for name, title in SECTIONS.items() if title],
        "complete": results.complete,
        "missing": sorted({gap.trial for gap in results.missing}),
        "claims": claims,
        "floors": floor_sentences(view, floors),
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
        "measures": explained(view, bibliography),
        "primaries": _primaries(view),
        "signatures": appendix.signature_lines(view, results),
        "asking": asking(view, trains=any(method.trains for method in view.methods)),
        "chatting": chatting(view, spoken),
        "shown_fewer": shown_fewer(view, results),
        "answering": lambda task: answering(view, task),
        "cut": lambda task, limit: cut(view, task, limit),
        "prompted": any(task.answers != "running text" for task in view.tasks),
        "score_tables": score_names(view),
        "example_names": list(examples),
        "error_names": list(errors),
        "answer_names": list(shares),
        "answered": {task.answers for task in view.tasks},
        "tables_of": _references,
        "device": str(made.get("device") or "").upper(),
        "software": _software(view, made),
        "mixtures": appendix.mixture_lines(results),
        "dropped": lambda task: cards.dropped_rows(names, results, task),
        "kept": lambda task: cards.kept_rows(names, results, task),
        "card": lambda task: Tex(cards.card_name(task)),
        "one_sided": one_sided(view, answers),
        "moved": moved_sentences(view, moves),
        "moved_together": len(moved_sentences(view, moves)) > MANY,
        "elsewhere": elsewhere_sentences(view, elsewhere),
        "learned_by": lambda task: [inline(m.title) for m in view.methods if m.on == task],
        "titles": lambda tasks: [view.task(name).title for name in tasks],
        "seeds": _seeds(view),
        "fresh": [method.title for method in view.methods if not method.keeps_base],
        "trains": any(method.trains for method in view.methods),
        "some_once": len(view.seeded) < len(view.methods),
        "candidates": _candidates([m for m in view.methods if m.tuned]),
        "searched": any(method.ranges for method in view.methods),
        "tuning": tuning_words(view, results),
        "asks": any(method.uses_model for method in view.methods),
        "words": enumerate_words,
        "inline": inline,
        "heading": heading,
        "listing": lambda words: Tex(", ".join(escape(word) for word in words)),
        "identifier": identifier,
        "link": link,
        "num": num,
        "has": has,
        "some": some,
        "alone": alone,
        "passed": lambda task: passed(names, numbers, task),
        "cite": cite,
        "works": _works(view),
        "tables": {
            "data": cards.data_table(view, numbers),
            "cards": list(cards.card_tables(view, results, numbers, bibliography).values()),
            "models": tables.model_table(view, numbers) if view.models else None,
            "scores": score_tables(view, scores, numbers),
            "published": quoted.published_table(view, scores, numbers, bibliography),
            "moved": moved_table(view, moves, numbers),
            "elsewhere": elsewhere_table(view, elsewhere, numbers),
            "contrasts": tables.contrast_table(view, contrasts, numbers) if contrasts else None,
            "costs": tables.cost_table(view, results, numbers),
            "examples": list(examples.values()),
            "errors": list(errors.values()),
            "answers": list(shares.values()),
            "settings": settings.setting_tables(view, results, numbers),
            "tuning": tuning_table(view, results, numbers),
            "chosen": chosen_table(view, results, numbers),
            "environment": appendix.environment_table(view, results),
            "provenance": appendix.provenance_tables(view, results, numbers),
        },
        "figures": {name: figures.get(name) for name in FIGURES}
        | {"others": [figures[name] for name in figures if name not in FIGURES]},
    }


def _candidates(tuned: Sequence[MethodView]) -> Tex:
    """Return how many candidates the tuned methods have: once, where all have as many."""
    counts = [rf"\{macro_name('candidates', method.name)}{{}}" for method in tuned]
    if len(tuned) > 1 and len({settings.budget(method) for method in tuned}) == 1:
        return Tex(f"each tuned method with the same number of candidates, {counts[0]}")
    said = [Tex(f"{n} for {escape(inline(m.title))}") for n, m in zip(counts, tuned, strict=True)]
    return Tex(f"with these numbers of candidates: {enumerate_words(said)}")


def _seeds(view: StudyView) -> Tex:
    """Return over what the methods that draw at random run, or nothing where none does."""
    if not view.seeded:
        return Tex("")
    if len(view.seeds) == 1:
        return Tex("a single seed")
    return Tex(rf"\seedsCount{{}} {'paired ' if view.paired else ''}seeds")


def _works(view: StudyView) -> dict[tuple[str, ...], list[str]]:
    """Return the titles of the tasks that are due to the same works, by the works' keys."""
    found: dict[tuple[str, ...], list[str]] = {}
    for task in view.tasks:
        found.setdefault(task.cite, []).append(task.title)
    return found


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


def _primaries(view: StudyView) -> Tex:
    """Return the primary measure, or each one with the tasks that it is of."""
    tasks: dict[str, list[str]] = {}
    for task in (task for task in view.tasks if task.met):
        tasks.setdefault(view.primary_of(task.name), []).append(task.title)
    titles = {name: escape(inline(view.metric(name).title)) for name in tasks}
    if len(tasks) == 1:
        return next(iter(titles.values()))
    return Tex("; ".join(f"{titles[name]} for {enumerate_words(tasks[name])}" for name in tasks))


def _references(names: Sequence[str]) -> Tex:
    r"""Return `Table~\ref{tab:a}` or `Tables~\ref{tab:a} and \ref{tab:b}`; of many first and last.

    Tables that are named together stand, and so are numbered, one after the other.
    """
    refs = [Tex(rf"\ref{{tab:{name}}}") for name in names]
    found = enumerate_words(refs) if len(refs) <= 3 else Tex(f"{refs[0]} to {refs[-1]}")
    return Tex(f"Table{'s' * (len(names) > 1)}~{found}")


def _software(view: StudyView, made: Mapping[str, Any]) -> Tex:
    packages = made.get("packages") or view.environment
    listed = [f"{name} {packages[name]}" for name in SOFTWARE if name in packages]
    return enumerate_words(listed or ["the packages of the lock"])


def _plain(text: str) -> Tex:
    """Return text for the PDF's own record of title and author: ASCII without commands."""
    return Tex(
        escape("".join(c for c in text if c.isascii() and (c.isalnum() or c in " .,:-()'"))[:200])
    )
