r"""Tuning in words: how hyperparameters were chosen, and how far claims can rest on it.

What the text says is no stronger than the searches are: where a range was gone beyond, where a
choice still lies at an edge, and where the two sides of a contrast were not tuned alike. That last
is `\tuningRemark`, a sentence that an author can place too; it is not there where there is nothing
to remark.
"""

from collections.abc import Callable, Iterable, Sequence

from smalltune.analysis.contrasts import Contrast
from smalltune.analysis.results import Results
from smalltune.analysis.tuning import DECISIVE, Tuned
from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names, enumerate_words, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import StudyView

__all__ = ["add_remark", "places", "tuning_words"]

REMARK = "tuningRemark"


def tuning_words(view: StudyView, results: Results) -> dict[str, Tex]:
    """Return what the text says of the searches, by name; "" is nothing to say.

    `by` is the measure that decides, `ties` what decides between equal ones, `beyond` where a range
    was gone beyond, `edges` where a choice lies at an edge for all that, `untuned` what nothing was
    searched for.
    """
    return {
        "by": _by(view),
        "ties": _ties(view),
        "beyond": _beyond(view, results.tuning),
        "edges": _edges(view, results.tuning),
        "untuned": _untuned(view),
    }


def _by(view: StudyView) -> Tex:
    tasks: dict[str, list[str]] = {}
    for task in view.tasks:
        tasks.setdefault(task.selects or view.primary_of(task.name), []).append(task.title)
    titles = {name: escape(inline(view.metric(name).title)) for name in tasks}
    if len(tasks) == 1:
        return next(iter(titles.values()))
    said = [Tex(f"{titles[name]} for {enumerate_words(tasks[name])}") for name in tasks]
    return enumerate_words(said)


def _ties(view: StudyView) -> Tex:
    told = [task.title for task in view.tasks if task.ties]
    if not told:
        return Tex("Of equal scores the first decides.")
    where = "" if len(told) == len(view.tasks) else f" for {enumerate_words(told)}"
    rule = "Of equal scores that with the lower negative log-likelihood on that split decides"
    return Tex(f"{rule}{where}, else the first.")


def _beyond(view: StudyView, searches: Sequence[Tuned]) -> Tex:
    if not view.extend or not searches:
        return Tex("")
    rule = (
        "Where the best learning rate is the lowest or the highest of those tried, one further run "
        r"lies beyond it, at most \tuningExtend{} times for one search; such runs count in the "
        "budget. "
    )
    extended = [one for one in searches if one.extended]
    if extended:
        return Tex(rule + f"It was so for {_places(view, extended)}.")
    return Tex(rule + "It was so for none.") if all(s.complete for s in searches) else Tex(rule)


def _edges(view: StudyView, searches: Sequence[Tuned]) -> Tex:
    ends: dict[tuple[str, str], list[Tuned]] = {}
    for one in searches:
        for option, edge in one.edges.items():
            ends.setdefault((option, edge), []).append(one)
    spent = (
        r" although the search had gone on by \tuningExtend{} runs at that edge"
        if view.extend
        else ""
    )
    said = [
        f"For {_places(view, own)} the chosen {escape(option.replace('_', ' '))} is the {edge} "
        f"that was tried{spent if _spent(option, own) else ''}, so that "
        "a better one may lie beyond."
        for (option, edge), own in ends.items()
    ]
    return Tex(" ".join(said))


def _spent(option: str, searches: Sequence[Tuned]) -> bool:
    """Tell whether all these searches had gone on beyond the edge of this option to the end."""
    return all(one.option == option and one.extended >= one.extend > 0 for one in searches)


def _untuned(view: StudyView) -> Tex:
    training = [escape(inline(m.title)) for m in view.methods if m.trains and not m.tuned]
    asking = [escape(inline(m.title)) for m in view.methods if not m.trains and not m.tuned]
    said = []
    if training:
        said.append(f"No hyperparameter was searched for {enumerate_words(training)}.")
    if asking:
        each = "train no weights and were" if len(asking) > 1 else "trains no weights and was"
        first = enumerate_words(asking)
        said.append(f"{first[:1].upper()}{first[1:]} {each} taken as configured.")
    return Tex(" ".join(said))


def add_remark(
    view: StudyView, results: Results, contrasts: Sequence[Contrast], numbers: Numbers
) -> bool:
    """Add the sentence on contrasts whose sides had few runs or unequal budgets; tell if any."""
    if not results.tuning or not contrasts:
        return False
    runs = {(s.method, s.model, s.task): s for s in results.tuning}
    few: dict[str, None] = {}
    none: dict[str, None] = {}
    unequal: dict[tuple[str, str, str, str], None] = {}
    for one in contrasts:
        at, sides = one.estimate, []
        for method in (one.a, one.b):
            found = runs.get((method, at.model, at.task)) or runs.get((method, "-", at.task))
            if found:
                few |= {method: None} if found.trials < DECISIVE else {}
                sides.append((method, len(found.runs)))
            elif view.method(method).trains:
                none[method] = None
        if len(sides) == 2 and sides[0][1] != sides[1][1]:
            unequal[(one.a, one.b, at.task, at.model)] = None
    said = _remarks(view, few, none, unequal)
    if said:
        what = "what the budgets of tuning say of the declared contrasts"
        keys = tuple(dict.fromkeys(key for one in results.tuning for key in one.keys))
        value = {"few": list(few), "untuned": list(none), "unequal": [list(u) for u in unequal]}
        numbers.add(Number(REMARK, value, rf"{said}\xspace", what, keys=keys, body=True))
    return bool(said)


def _remarks(
    view: StudyView,
    few: Iterable[str],
    none: Iterable[str],
    unequal: Iterable[tuple[str, str, str, str]],
) -> str:
    def titles(names: Iterable[str]) -> Tex:
        return enumerate_words([escape(inline(view.method(name).title)) for name in names])

    said = []
    if names := titles(few):
        said.append(
            rf"Fewer than \tuningDecisive{{}} candidates were tried in a search for {names}, so "
            "that a comparison may turn on a value that was not among them."
        )
    if names := titles(none):
        said.append(f"Nothing was searched for {names}, to which others are compared.")
    pairs = [_unequal(view, *each) for each in unequal]
    if pairs:
        said.append(
            f"The two sides of a contrast do not have as many runs of tuning: {'; '.join(pairs)}."
        )
    return " ".join(said)


def _unequal(view: StudyView, a: str, b: str, task: str, model: str) -> str:
    names = Names(view)

    def side(method: str) -> str:
        name = names.of("tuningRuns", method, task=task, model=model)
        return rf"\{name}{{}} for {escape(inline(view.method(method).title))}"

    where = _where(view)(task, model)
    return f"{side(a)} and {side(b)}" + (f" ({where})" if where else "")


def _places(view: StudyView, searches: Sequence[Tuned]) -> Tex:
    return places(view, [(one.method, one.task, one.model) for one in searches])


def places(view: StudyView, found: Iterable[tuple[str, str, str]]) -> Tex:
    """Return methods by their titles, each with its tasks and models where there are several.

    `found` are method, task ("" where it is said elsewhere) and model; what is there twice is
    said once.
    """
    where, grouped = _where(view), dict[str, dict[str, None]]()
    for method, task, model in found:
        grouped.setdefault(method, {})[where(task, model)] = None
    said = []
    for method, own in grouped.items():
        named = [Tex(each) for each in own if each]
        more = f" ({enumerate_words(named)})" if named else ""
        said.append(Tex(f"{escape(inline(view.method(method).title))}{more}"))
    return enumerate_words(said)


def _where(view: StudyView) -> Callable[[str, str], str]:
    """Return how a task and a model are named: not at all where there is only one of each."""

    def where(task: str, model: str) -> str:
        title = str(escape(view.task(task).title)) if task and len(view.tasks) > 1 else ""
        if len(view.models) < 2 or model == "-":
            return title
        base = next((str(escape(m.title)) for m in view.models if m.name == model), model)
        return f"{title} with {base}" if title else base

    return where
