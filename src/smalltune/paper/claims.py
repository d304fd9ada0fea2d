r"""Claims: sentences about which method is better, as strong as the statistics and no stronger.

For each declared contrast there is one macro, such as `\claimLoraAgainstFullReviews`: a whole
sentence with difference, interval and p, whose verb is chosen by the verdict. There is no macro
that says more. For text beside it, `\whichever{claimLoraAgainstFullReviews}{..}{..}{..}{..}` prints
one of four texts by the same verdict, and `\assert{claimLoraAgainstFullReviews}{better}` stops the
build when the verdict is another. How methods lie to the majority baseline is in `floors`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.contrasts import BETTER, EQUIVALENT, UNDECIDED, WORSE, Contrast
from smalltune.analysis.intervals import Estimate
from smalltune.paper.escape import escape
from smalltune.paper.measures import contrast_name
from smalltune.paper.naming import inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import MetricView, StudyView

__all__ = ["VERDICTS", "Claim", "article", "claims", "measure_name", "where"]

VERDICTS = {BETTER: "better", WORSE: "worse", EQUIVALENT: "equivalent", UNDECIDED: "unclear"}
"""The words of `\\assert`, in the order of the branches of `\\whichever`."""


@dataclass(frozen=True)
class Claim:
    """A sentence that the results carry: its macro's name, its verdict, its LaTeX.

    `what` says by which rule, `keys` are the scores behind it.
    """

    name: str
    verdict: str
    sentence: str
    what: str
    keys: tuple[str, ...]

    def number(self) -> Number:
        r"""Return the claim as a number, so that it can be traced; its body is the sentence."""
        text = rf"{self.sentence}\xspace"
        return Number(self.name, self.verdict, text, self.what, keys=self.keys, body=True)

    def switch(self) -> str:
        r"""Return the definition of the claim's `\whichever`."""
        branch = list(VERDICTS.values()).index(self.verdict) + 1
        return rf"\expandafter\newcommand\csname which:{self.name}\endcsname[4]{{#{branch}}}"


def claims(view: StudyView, contrasts: Sequence[Contrast], numbers: Numbers) -> tuple[Claim, ...]:
    """Return the claims of the declared contrasts.

    Of a metric that does not say which of two values is better, nothing is claimed.
    """
    made = [_contrast(view, one, numbers) for one in contrasts if one.better != "neither"]
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
    measure = measure_name(metric)
    said = {
        "better": f"{a} has a {_direction(metric, True)} {measure} than {b}",
        "worse": f"{a} has a {_direction(metric, False)} {measure} than {b}",
        "equivalent": rf"{a} and {b} are equivalent in {measure}, within \smallestEffect",
        "unclear": f"{a} and {b} show no reliable difference in {measure}",
    }[verdict]
    adjusted = ""
    exact = "" if math.isnan(one.p) else f"exact paired {p('p')}, over seeds and items "
    if one.family > 1:
        adjusted = rf"; adjusted for \familyCount{{}} contrasts {p('pAdjusted')}"
    sentence = f"On {where(view, at)}, {a} and {b} cannot be compared yet: runs are missing."
    if not math.isnan(at.value):
        sentence = (
            f"On {where(view, at)}, {said} (difference {macro('difference')}, "
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


def where(view: StudyView, at: Estimate) -> str:
    """Return the task of an estimate, with its model where the study has several."""
    task = next(task.title for task in view.tasks if task.name == at.task)
    several = len(view.models) > 1 and at.model != "-"
    model = next((m.title for m in view.models if m.name == at.model), at.model)
    return escape(task) + (f" with {escape(model)}" if several else "")


def _direction(metric: MetricView, good: bool) -> str:
    return "higher" if (metric.better == "higher") == good else "lower"


def measure_name(metric: MetricView) -> str:
    """Return how a measure is called within a sentence."""
    return escape(inline(metric.title))


def article(metric: MetricView) -> str:
    """Return the article that goes before a measure."""
    return "an" if metric.title[:1].lower() in "aeiou" else "a"
