"""Errors: on which items, and in which way, the methods fail; counted by rules without judgement.

Seven groups of categories, each only where it can be: "form" (different texts, nothing written, not
ended, no valid answer), "length" and "negation" of what is asked, "confusion" of labels, "choice"
(what sort of choice is taken), "slots" of facts to be said, "source" (copied or added content).
Everything is counted over all stored runs of a method.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from string import ascii_uppercase

import numpy as np

from smalltune.analysis.contents import COUNTED, SLOTS, Source, facts_of, negates, slot_errors
from smalltune.analysis.records import Prediction, TrialRecord
from smalltune.analysis.results import Results
from smalltune.core.plugins import load

__all__ = ["PAIRS", "Category", "Cell", "categories"]

PAIRS = 4
"""Pairs of labels that are listed as confused, the most frequent ones."""

Found = Mapping[str, Sequence[Sequence[Prediction]]]


@dataclass(frozen=True)
class Cell:
    """What one method did in a category: `count` of `of`, or a metric's value over `of` items.

    `count` is None for a metric's value; the value of nothing is NaN.
    """

    value: float
    count: int | None
    of: int
    keys: tuple[str, ...]
    trials: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """A category with each method's cell.

    `what` says in plain words what is counted, with `{}` where the `numbers` stand; `name` is short
    and unique in its `group`. `metric` is the metric of the values, "" where there are counts.
    """

    group: str
    name: str
    what: str
    cells: Mapping[str, Cell]
    metric: str = ""
    numbers: tuple[int, ...] = field(default=())


def categories(
    results: Results, model: str, task: str, *, language: str = "", split: str = "test"
) -> tuple[Category, ...]:
    """Return the categories of a model's answers to a task; () while nothing is stored.

    `language` is the one of the texts: negation is looked for in English only.
    """
    trials: dict[str, list[TrialRecord]] = {}
    for trial, at in results.stored():
        if (at, trial.task) == (split, task) and trial.model in (model, "-"):
            trials.setdefault(trial.method, []).append(trial)
    if not trials:
        return ()
    return tuple(_Counted(results, trials, task, split).all(language))


class _Counted:
    """The stored runs of each method on one split of a task, and what is counted of them."""

    def __init__(
        self, results: Results, trials: Mapping[str, list[TrialRecord]], task: str, split: str
    ):
        self.results, self.trials, self.split = results, trials, split
        self.metric = results.primary_of(task)
        self.found: Found = {
            method: [results.predictions(trial.id, split) for trial in each]
            for method, each in trials.items()
        }
        self.items = next(iter(self.found.values()))[0]
        self.labelled = all(item.gold for item in self.items)
        self.writes = [m for m, runs in self.found.items() if runs[0][0].text is not None]

    def all(self, language: str) -> Iterator[Category]:
        """Yield every category that this task has."""
        yield from self.form()
        if self.writes and not self.labelled:
            facts = [facts_of(item.fields) for item in self.items]
            yield from self.slots(facts) if all(facts) else self.source()
        yield from self.length()
        if self.labelled and language.lower().startswith("english"):
            yield from self.negation()
        if self.labelled:
            choices = any(item.choices for item in self.items)
            yield from self.choice() if choices else self.confusion()

    def form(self) -> Iterator[Category]:
        """Yield outputs that are no whole answer; of labels only where there are such."""
        if self.writes:
            yield self.different()
            yield self.counted("form", "empty", "nothing written", lambda p: p.text == "")
            what = "not ended within the tokens allowed"
            yield self.counted("form", "unended", what, lambda p: p.ended is False)
        said = [p for runs in self.found.values() for run in runs for p in run]
        if self.labelled and any(p.predicted is None for p in said):
            what = "no valid answer"
            yield self.counted("form", "invalid", what, lambda p: p.predicted is None)

    def different(self) -> Category:
        """Return how many different texts each method wrote, each run counted by itself."""
        cells = {}
        for method in self.writes:
            runs = self.found[method]
            count = sum(len({p.text for p in run}) for run in runs)
            cells[method] = self.cell(method, count, sum(map(len, runs)))
        return Category("form", "different", "different texts among those written", cells)

    def slots(self, facts: Sequence[Mapping[str, str]]) -> Iterator[Category]:
        """Yield the facts missing, wrong and invented, of the facts asked for."""
        sums: dict[str, list[dict[str, tuple[int, int]]]] = {
            m: [slot_errors([p.text or "" for p in run], facts) for run in self.found[m]]
            for m in self.writes
        }
        yield from self.summed("slots", SLOTS, sums)

    def source(self) -> Iterator[Category]:
        """Yield what the answers copy from the source, and what they add."""
        sources = [Source("\n".join(item.fields.values())) for item in self.items]
        sums = {
            m: [
                source.count(p.text or "")
                for run in self.found[m]
                for source, p in zip(sources, run, strict=True)
            ]
            for m in self.writes
        }
        yield from self.summed("source", COUNTED, sums)

    def length(self) -> Iterator[Category]:
        """Yield the metric in the thirds of the items by their number of words."""
        sizes = np.array([sum(len(t.split()) for t in i.fields.values()) for i in self.items])
        least, most = (int(np.quantile(sizes, q, method="lower")) for q in (1 / 3, 2 / 3))
        if not sizes.min() <= least < most < sizes.max():
            return
        yield self.scored("length", "short", "up to {} words", sizes <= least, (least,))
        inside = (sizes > least) & (sizes <= most)
        yield self.scored("length", "middle", "{} to {} words", inside, (least + 1, most))
        yield self.scored("length", "long", "more than {} words", sizes > most, (most,))

    def negation(self) -> Iterator[Category]:
        """Yield the metric of the items with a negation and without one."""
        has = np.array([negates(" ".join(item.fields.values())) for item in self.items])
        if has.any() and not has.all():
            yield self.scored("negation", "with", "with a negation", has)
            yield self.scored("negation", "without", "without one", ~has)

    def confusion(self) -> Iterator[Category]:
        """Yield the label said most, and the pairs of a gold and another label met most often.

        A method that says one label only confuses nothing, and does not vote for the pairs.
        """
        yield self.favoured()
        pairs: Counter[tuple[str, str]] = Counter()
        for runs in self.found.values():
            answers = [(p.gold, p.predicted) for run in runs for p in run if p.predicted]
            if len({answer for _, answer in answers}) > 1:
                pairs.update((gold, answer) for gold, answer in answers if gold != answer)
        top = sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:PAIRS]
        for place, (gold, said) in enumerate(top, 1):
            what = f"\N{LEFT DOUBLE QUOTATION MARK}{gold}\N{RIGHT DOUBLE QUOTATION MARK} taken for "
            what += f"\N{LEFT DOUBLE QUOTATION MARK}{said}\N{RIGHT DOUBLE QUOTATION MARK}"
            yield Category("confusion", str(place), what, self.taken(gold, said))

    def favoured(self) -> Category:
        """Return how many answers of each method are the label that the run says most."""
        cells = {}
        for method, runs in self.found.items():
            said = [Counter(p.predicted for p in run if p.predicted) for run in runs]
            count = sum(max(each.values(), default=0) for each in said)
            cells[method] = self.cell(method, count, sum(map(len, runs)))
        return Category("confusion", "favoured", "answers that are the label said most", cells)

    def choice(self) -> Iterator[Category]:
        """Yield how often the longest, the shortest and the first of the choices are taken.

        Of two that are as long the first counts; a choice is as long as its characters.
        """
        yield self.counted("choice", "longest", "the longest choice", lambda p: _took(p, max))
        yield self.counted("choice", "shortest", "the shortest choice", lambda p: _took(p, min))
        yield self.counted("choice", "first", "the first choice", lambda p: p.predicted == "A")

    # Cells

    def taken(self, gold: str, said: str) -> dict[str, Cell]:
        """Return how many of the answers to items of one label are another label."""
        return {
            m: self.share(m, [p.predicted == said for run in runs for p in run if p.gold == gold])
            for m, runs in self.found.items()
        }

    def counted(
        self, group: str, name: str, what: str, true: Callable[[Prediction], bool]
    ) -> Category:
        """Return how many of all answers, or of all texts written, something is true of."""
        methods = self.writes or list(self.found)
        flags = {m: [true(p) for run in self.found[m] for p in run] for m in methods}
        return Category(group, name, what, {m: self.share(m, each) for m, each in flags.items()})

    def share(self, method: str, flags: Sequence[bool]) -> Cell:
        """Return how many of these answers it is true of."""
        return self.cell(method, sum(flags), len(flags))

    def summed(
        self,
        group: str,
        said: Mapping[str, str],
        sums: Mapping[str, Iterable[Mapping[str, tuple[int, int]]]],
    ) -> Iterator[Category]:
        """Yield a category for each kind of pairs (how many, of how many), added up."""
        for name, what in said.items():
            cells = {}
            for method, each in sums.items():
                pairs = [one[name] for one in each]
                cells[method] = self.cell(
                    method, sum(a for a, _ in pairs), sum(b for _, b in pairs)
                )
            yield Category(group, name, what, cells)

    def scored(
        self, group: str, name: str, what: str, which: np.ndarray, numbers: tuple[int, ...] = ()
    ) -> Category:
        """Return the metric over some of the items, its mean over the runs."""
        kind = load("smalltune.metrics", self.metric)
        cells = {}
        for method, trials in self.trials.items():
            stats = [self.results.scored(t, self.split).stats[self.metric] for t in trials]
            value = float(np.mean([kind.combine(one[which].mean(axis=0)) for one in stats]))
            keys = tuple(t.score[self.split] for t in trials)
            cells[method] = Cell(value, None, int(which.sum()), keys, self.ids[method])
        return Category(group, name, what, cells, self.metric, numbers)

    def cell(self, method: str, count: int, of: int) -> Cell:
        """Return a share of a method's answers."""
        keys = tuple(trial.predict[self.split] for trial in self.trials[method])
        return Cell(count / of if of else float("nan"), count, of, keys, self.ids[method])

    @cached_property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """The trials of each method."""
        return {method: tuple(t.id for t in trials) for method, trials in self.trials.items()}


def _took(answer: Prediction, most: Callable[..., str]) -> bool:
    """Whether the letter taken is that of the longest (`max`) or the shortest (`min`) choice."""
    sizes = dict(zip(ascii_uppercase, map(len, answer.choices), strict=False))
    return answer.predicted == most(sizes, key=sizes.__getitem__)
