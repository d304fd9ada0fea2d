r"""Claims: sentences about which method is better, as strong as the statistics and no stronger.

For each declared contrast there is one macro, such as `\claimLoraAgainstFullReviews`: a whole
sentence with difference, interval and p, whose verb is chosen by the verdict. There is no macro
that says more. For text beside it, `\whichever{claimLoraAgainstFullReviews}{..}{..}{..}{..}` prints
one of four texts by the same verdict, and `\assert{claimLoraAgainstFullReviews}{better}` stops the
build when the verdict is another. Methods are also held against the majority baseline: there the
whole interval must lie above it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.contrasts import BETTER, EQUIVALENT, UNDECIDED, WORSE, Contrast
from smalltune.analysis.intervals import Estimate
from smalltune.paper.escape import escape
from smalltune.paper.measures import contrast_name, score_name
from smalltune.paper.naming import Names, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import MetricView, StudyView

__all__ = ["VERDICTS", "Claim", "against_floor", "claims"]

FLOOR = "majority"  # the method whose score needs no text to be read
VERDICTS = {BETTER: "better", WORSE: "worse", EQUIVALENT: "equivalent", UNDECIDED: "unclear"}
"""The words of `\\assert`, in the order of the branches of `\\whichever`."""


@dataclass(frozen=True)
class Claim:
    """A sentence that the results carry: its macro's name, its verdict, its LaTeX.

    `declared` tells a contrast of the study from the comparison with the majority baseline;
    `what` says by which rule, `keys` are the scores behind it.
    """

    name: str
    verdict: str
    sentence: str
    what: str
    keys: tuple[str, ...]
    declared: bool = True

    def number(self) -> Number:
        r"""Return the claim as a number, so that it can be traced; its body is the sentence."""
        text = rf"{self.sentence}\xspace"
        return Number(self.name, self.verdict, text, self.what, keys=self.keys, body=True)

    def switch(self) -> str:
        r"""Return the definition of the claim's `\whichever`."""
        branch = list(VERDICTS.values()).index(self.verdict) + 1
        return rf"\expandafter\newcommand\csname which:{self.name}\endcsname[4]{{#{branch}}}"


def claims(
    view: StudyView,
    contrasts: Sequence[Contrast],
    scores: Sequence[Estimate],
    numbers: Numbers,
) -> tuple[Claim, ...]:
    """Return the claims of the declared contrasts, then of each method against majority.

    Of a metric that does not say which of two values is better, nothing is claimed.
    """
    made = [_contrast(view, one, numbers) for one in contrasts if one.better != "neither"]
    known = {claim.name for claim in made}
    made += [c for c in against_floor(view, scores) if c.name not in known]
    for claim in made:
        numbers.add(claim.number())
    return tuple(made)


def _contrast(view: StudyView, one: Contrast, numbers: Numbers) -> Claim:
    metric, at = view.metric(one.estimate.metric), one.estimate
    name = contrast_name(view, one, "claim")
    verdict = VERDICTS[one.verdict]

    def macro(*words: str) -> str:
        return f"\\{contrast_name(view, one, *words)}"

    def p(word: str) -> str:
        name = contrast_name(view, one, word)
        sign = "" if numbers[name].text.startswith("$<$") else "= "
        return rf"$p$ {sign}\{name}"

    a, b = (escape(inline(view.method(method).title)) for method in (one.a, one.b))
    said = {
        "better": f"{a} has a {_direction(metric, True)} {_name(metric)} than {b}",
        "worse": f"{a} has a {_direction(metric, False)} {_name(metric)} than {b}",
        "equivalent": rf"{a} and {b} are equivalent in {_name(metric)}, within \smallestEffect",
        "unclear": f"{a} and {b} show no reliable difference in {_name(metric)}",
    }[verdict]
    adjusted = ""
    exact = "" if math.isnan(one.p) else f"exact paired {p('p')}, over seeds and items "
    if one.family > 1:
        adjusted = rf"; adjusted for \familyCount{{}} contrasts {p('pAdjusted')}"
    sentence = f"On {_where(view, at)}, {a} and {b} cannot be compared yet: runs are missing."
    if not math.isnan(at.value):
        sentence = (
            f"On {_where(view, at)}, {said} (difference {macro('difference')}, "
            rf"\intervalLevel{{}} interval {macro('difference', 'interval')}; "
            f"{exact}{p('pItems')}{adjusted})."
        )
    return Claim(
        name,
        verdict,
        sentence,
        f"{one.verdict}, by interval and p at level {one.alpha:g}, {one.pairing}",
        one.keys,
    )


def against_floor(view: StudyView, scores: Sequence[Estimate]) -> list[Claim]:
    """Return how each method's interval lies to the majority baseline, in its primary metric."""
    floors = [m.name for m in view.methods if m.method == FLOOR]
    main = [
        one
        for one in scores
        if one.metric == view.primary_of(one.task) and view.metric(one.metric).better != "neither"
    ]
    return [
        _floor(view, one, floor)
        for one in main
        for floor in main
        if floor.method in floors[:1] and floor.task == one.task and one.method not in floors
    ]


def _floor(view: StudyView, one: Estimate, floor: Estimate) -> Claim:
    names, metric = Names(view), view.metric(one.metric)
    above, below = one.low > floor.value, one.high < floor.value
    higher = metric.better == "higher"
    verdict = "better" if (above if higher else below) else "unclear"
    verdict = "worse" if (below if higher else above) else verdict
    method, base = (escape(inline(view.method(m.method).title)) for m in (one, floor))
    value, low = f"\\{score_name(names, one)}", f"\\{score_name(names, one, 'interval')}"
    lies = "lies above" if above else "lies below" if below else "does not exclude"
    where = _where(view, one)
    sentence = (
        f"On {where}, {method} has {_article(metric)} {_name(metric)} of {value}, and "
        rf"its \intervalLevel{{}} interval ({low}) {lies} the {base} baseline of "
        f"\\{score_name(names, floor)}."
    )
    if math.isnan(one.value) or math.isnan(floor.value):
        sentence = f"On {where}, {method} and {base} cannot be compared yet: runs are missing."
    name = names.of("claim", one.method, "against", floor.method, task=one.task, model=one.model)
    keys = (*one.keys, *floor.keys)
    return Claim(name, verdict, sentence, "interval against majority", keys, declared=False)


def _where(view: StudyView, at: Estimate) -> str:
    task = next(task.title for task in view.tasks if task.name == at.task)
    several = len(view.models) > 1 and at.model != "-"
    model = next((m.title for m in view.models if m.name == at.model), at.model)
    return escape(task) + (f" with {escape(model)}" if several else "")


def _direction(metric: MetricView, good: bool) -> str:
    return "higher" if (metric.better == "higher") == good else "lower"


def _name(metric: MetricView) -> str:
    return escape(inline(metric.title))


def _article(metric: MetricView) -> str:
    return "an" if metric.title[:1].lower() in "aeiou" else "a"
