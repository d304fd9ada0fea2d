"""Metrics: one file each. A metric keeps statistics per item, so that it can be resampled.

A corpus metric such as macro-F1 or BLEU is no mean over items, but it is a function of means over
items. So every metric comes in two steps: `items` turns predictions into a row of sufficient
statistics per item (that is what the store keeps), `combine` turns the means of those rows into
the value. A jackknife or a bootstrap over items then costs sums, never a second look at the
predictions.

What a metric judges it declares (`judges`), by taking one of the classes below as its base, and
the `score` stage hands it that, made from two files of one item per line:

| `judges` | handed to `items` | of a line of the data | of a line of the predictions |
|---|---|---|---|
| labels | gold, log_probs, names | `label` | `log_probs`, else `predicted` |
| answered labels | the same, the answer with all the weight | `label` | `predicted` |
| scaled labels | the same, made milder by a temperature | as above, of dev too | the same of dev |
| texts | texts, gold | `references`, `label`, `fields` | `text` |
| likelihoods | likelihoods | `references`, else `fields` | `log_probs` (one number), `tokens` |
| validity | valid | | `predicted`, `log_probs` |
| endings | ended | | `ended` |

A line of the data is a row as it was prepared: `id`, `fields` (the source texts), `label` ("" where
there is none), and `references`, the texts that would be right, where an answer is free text; an
item may have several, and none at all says that the right answer is no answer (`exact_match`).

A line of the predictions has the same `id`. A model that weighs labels gives `log_probs`, one
number per name of `labels.json`, and its answer as `predicted`: the most likely name, unless the
task compares names by something else, as the lengths of choices. A model that writes gives
`text`, as written up to its end token; `ended`, whether it wrote that token; `log_prob`, the nats
of what it wrote; and `predicted`, the answer as it was understood: one of the names where only
those are allowed, else the text. `predicted` is null where the output is no answer that the task
allows. Such an item is wrong to accuracy and its kind, and `invalid_rate` counts it; metrics of
probabilities leave it out, and every item whose answer was written and not weighed. A model that
is asked how likely a text is gives the sum in nats as the only one of `log_probs` (`labels.json`
has no names then) and in `tokens` how many tokens it predicted.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import DataError, EngineError

__all__ = [
    "AnswerMetric", "EndingMetric", "Gold", "LabelMetric", "Likelihood", "LikelihoodMetric",
    "Metric", "Stats", "TextMetric", "ValidityMetric", "answered", "of_two", "ratio",
]  # fmt: skip

Stats = NDArray[np.float64]
"""Statistics [..., items, k] or their means [..., k], always in float64."""


@dataclass(frozen=True)
class Gold:
    """What an item of free text asks for: right texts, best first, a label, and its source."""

    id: str
    references: tuple[str, ...] = ()
    label: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def required(self) -> tuple[str, ...]:
        """Return the references; raises EngineError when the item has none."""
        if not self.references:
            raise EngineError(
                f"the item {self.id!r} has no reference text to compare with: name the column of "
                "the answers in the task, or leave out the metrics that need one"
            )
        return self.references

    def facts(self) -> Mapping[str, str]:
        """Return the facts of the source: of the fields written as `slot[value], slot[value]`.

        Raises EngineError when no field is a meaning representation.
        """
        from smalltune.measures.slots import parse

        try:
            found = {k: v for text in self.fields.values() for k, v in parse(text).items()}
        except DataError as error:
            raise EngineError(f"the item {self.id!r}: {error}") from None
        if not found:
            raise EngineError(
                f"the item {self.id!r} has no meaning representation, such as `name[The Eagle], "
                "food[French]`: leave out the metrics that count slots"
            )
        return found


@dataclass(frozen=True)
class Likelihood:
    """How likely a text was: `log_prob` in nats, its bytes in UTF-8 and the tokens predicted.

    `tokens` is NaN where the prediction does not say.
    """

    log_prob: float
    bytes: int
    tokens: float


class Metric(ABC):
    """What a file of this room offers: one final class with these constants and pure functions.

    `percent` says that the value is printed times 100, `better` is "higher", "lower" or "neither",
    `bounds` are the least and the greatest value that can be, `version` rises when a value can
    change. `judges` names what is handed to `items`; see the head of this file. A metric that is
    `fitted` needs the predictions on dev too, whatever split it judges; one that `needs_facts` can
    judge only items whose source is a meaning representation (see `Gold.facts`).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    percent: ClassVar[bool]
    better: ClassVar[str]
    bounds: ClassVar[tuple[float, float]]
    judges: ClassVar[str]
    fitted: ClassVar[bool] = False
    needs_facts: ClassVar[bool] = False

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the value [...] from mean statistics [..., k]; undefined is NaN.

        Here: the mean itself, of metrics that are the mean of one number per item.
        """
        value: Stats = np.asarray(stats, dtype=np.float64)[..., 0]
        return value

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return the library and the options that made the value; "" where none but this did."""
        return ""

    @staticmethod
    def blind_to(references: Sequence[str]) -> str:
        """Return why the metric cannot see most of these texts, and what to do; mostly ""."""
        return ""


class LabelMetric(Metric):
    """A metric that judges how labels were weighed."""

    judges: ClassVar[str] = "labels"

    @staticmethod
    @abstractmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return the statistics [items, k] of gold labels [items] and log_probs [items, labels].

        `gold` holds positions in `names`, the label names in the order of the columns. A row of
        NaN is an item without a valid answer; see `answered`.
        """


class AnswerMetric(LabelMetric):
    """A metric that judges which label was the answer, however the labels were weighed.

    It is handed log_probs that give the answer all the weight; see `answered`.
    """

    judges: ClassVar[str] = "answered labels"


class TextMetric(Metric):
    """A metric that judges texts that were written."""

    judges: ClassVar[str] = "texts"

    @staticmethod
    @abstractmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return the statistics [items, k] of the texts and what was asked for."""


class LikelihoodMetric(Metric):
    """A metric that judges how likely given texts were to a model."""

    judges: ClassVar[str] = "likelihoods"

    @staticmethod
    @abstractmethod
    def items(likelihoods: Sequence[Likelihood]) -> Stats:
        """Return the statistics [items, k]."""


class ValidityMetric(Metric):
    """A metric that judges whether there was an answer at all."""

    judges: ClassVar[str] = "validity"

    @staticmethod
    @abstractmethod
    def items(valid: Sequence[bool]) -> Stats:
        """Return the statistics [items, k] of whether each output is an answer."""


class EndingMetric(Metric):
    """A metric that judges whether the texts that were written came to their end."""

    judges: ClassVar[str] = "endings"

    @staticmethod
    @abstractmethod
    def items(ended: Sequence[bool]) -> Stats:
        """Return the statistics [items, k] of whether each output ended."""


def answered(log_probs: Any, labels: int) -> NDArray[np.int64]:
    """Return the most likely label of each item, the first of equal ones; -1 for no answer.

    No answer is a row that holds a NaN: an output that is none of the labels, or a model whose
    numbers broke. It must never pass for the first label.
    """
    scores = np.asarray(log_probs, dtype=np.float64).reshape(-1, labels)
    said = scores.argmax(axis=1) if len(scores) else np.zeros(0, dtype=np.int64)
    return np.where(np.isnan(scores).any(axis=1), -1, said).astype(np.int64)


def of_two(stats: Stats) -> Stats:
    """Return the first of two means over the second [...]; NaN where that is nothing."""
    return ratio(*np.moveaxis(np.asarray(stats, dtype=np.float64), -1, 0))


def ratio(above: Any, below: Any) -> Stats:
    """Return above / below; NaN where nothing stands below."""
    over, under = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (above, below)))
    value: Stats = np.full(over.shape, np.nan)
    np.divide(over, under, out=value, where=under > 0)
    return value
