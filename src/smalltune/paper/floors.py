r"""Floors: how each method's interval lies to the majority baseline, in its primary metric.

Each is a claim (`\claimFullAgainstMajorityReviews`): the whole interval must lie above the
baseline. Where there are many, one sentence for each task and model, such as `\floorsReviews`,
tells of all methods there, and the numbers are left to the tables.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.intervals import Estimate
from smalltune.paper.claims import Claim, article, measure_name, where
from smalltune.paper.escape import Tex, escape
from smalltune.paper.measures import score_name
from smalltune.paper.naming import Names, enumerate_words, grouped, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import StudyView

__all__ = ["FLOOR", "Floor", "add_floors", "floor_sentences"]

FLOOR = "majority"  # the method whose score needs no text to be read


@dataclass(frozen=True)
class Floor:
    """A method's estimate `at` beside the baseline; `lies` says where its interval lies to it."""

    at: Estimate
    baseline: Estimate
    lies: str
    claim: Claim


def add_floors(view: StudyView, scores: Sequence[Estimate], numbers: Numbers) -> tuple[Floor, ...]:
    """Add each method's claim against the majority baseline, unless one is declared already."""
    floors = [m.name for m in view.methods if m.method == FLOOR][:1]
    main = [
        one
        for one in scores
        if one.metric == view.primary_of(one.task) and view.metric(one.metric).better != "neither"
    ]
    found = [
        _floor(view, one, floor)
        for one in main
        for floor in main
        if floor.method in floors and floor.task == one.task and one.method not in floors
    ]
    made = tuple(one for one in found if one.claim.name not in numbers)
    for one in made:
        numbers.add(one.claim.number())
    for group in grouped(made, _place).values():
        numbers.add(_together(view, group))
    return made


def floor_sentences(view: StudyView, floors: Sequence[Floor]) -> tuple[Tex, ...]:
    """Return the macros of what is said: of each method, or of all on a task and model."""
    if groups := grouped(floors, _place):
        return tuple(Tex(f"\\{_name(view, group[0])}") for group in groups.values())
    return tuple(Tex(f"\\{one.claim.name}") for one in floors)


def _floor(view: StudyView, one: Estimate, floor: Estimate) -> Floor:
    names, metric = Names(view), view.metric(one.metric)
    above, below = one.low > floor.value, one.high < floor.value
    higher = metric.better == "higher"
    verdict = "better" if (above if higher else below) else "unclear"
    verdict = "worse" if (below if higher else above) else verdict
    method, base = (_title(view, each) for each in (one, floor))
    value, low = f"\\{score_name(names, one)}", f"\\{score_name(names, one, 'interval')}"
    lies = "lies above" if above else "lies below" if below else "does not exclude"
    sentence = (
        f"On {where(view, one)}, {method} has {article(metric)} {measure_name(metric)} of {value}, "
        rf"and its \intervalLevel{{}} interval ({low}) {lies} the {base} baseline of "
        f"\\{score_name(names, floor)}."
    )
    if math.isnan(one.value) or math.isnan(floor.value):
        lies = ""
        sentence = (
            f"On {where(view, one)}, {method} and {base} cannot be compared yet: runs are missing."
        )
    name = names.of("claim", one.method, "against", floor.method, task=one.task, model=one.model)
    keys = (*one.keys, *floor.keys)
    claim = Claim(name, verdict, sentence, "interval against majority", keys)
    return Floor(one, floor, lies, claim)


def _place(one: Floor) -> tuple[str, str]:
    return one.at.task, one.at.model


def _name(view: StudyView, one: Floor) -> str:
    return Names(view).of("floors", task=one.at.task, model=one.at.model)


def _together(view: StudyView, group: Sequence[Floor]) -> Number:
    """Return the sentence on all methods of a task and model, as a number that can be traced."""
    one, parts = group[0], []
    for lies, said in (
        ("lies above", "lies above it for"),
        ("lies below", "lies below it for"),
        ("does not exclude", "does not exclude it for"),
        ("", "is not known yet for"),
    ):
        titles = [_title(view, each.at) for each in group if each.lies == lies]
        parts += [f"{said} {enumerate_words(titles)}"] * bool(titles)
    metric, baseline = view.metric(one.at.metric), score_name(Names(view), one.baseline)
    sentence = (
        f"On {where(view, one.at)} the {_title(view, one.baseline)} baseline has "
        f"{article(metric)} {measure_name(metric)} of \\{baseline}; the "
        rf"\intervalLevel{{}} interval {'; it '.join(parts)}."
    )
    value = {each.at.method: each.claim.verdict for each in group}
    keys = tuple(dict.fromkeys(key for each in group for key in each.claim.keys))
    what = "intervals against majority"
    return Number(_name(view, one), value, rf"{sentence}\xspace", what, keys=keys, body=True)


def _title(view: StudyView, at: Estimate) -> Tex:
    return escape(inline(view.method(at.method).title))
