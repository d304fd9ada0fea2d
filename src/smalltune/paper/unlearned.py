r"""Unlearned: which trained methods do not end below the base as it is, in loss on dev.

Their scores are no evidence about the method, only about this training of it. `\notLearned` is the
sentence that says so; it is not there where every trial whose losses are known has learned.
"""

from collections.abc import Sequence

from smalltune.analysis.learning import FAILED, UNKNOWN, Learned
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.tuning_words import places
from smalltune.paper.view import StudyView

__all__ = ["add_learning"]


def add_learning(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add each method's loss on dev beside the base's, and the sentence on those that failed."""
    names = Names(view)
    cells: dict[tuple[str, str, str], list[Learned]] = {}
    for one in results.learning:
        if one.status != UNKNOWN:
            cells.setdefault((one.method, one.task, one.model), []).append(one)
    for (method, task, model), own in cells.items():
        mean = sum(one.loss for one in own) / len(own)
        for word, value, what in (
            ("devLoss", mean, f"mean loss on dev of {method} on {task}, in nats"),
            ("devLossBase", own[0].base_loss, f"loss on dev of the base beside {method} on {task}"),
        ):
            text = rounding.score(value, percent=False)
            name = names.of(word, method, task=task, model=model)
            numbers.add(Number(name, value, text, what, keys=_keys(own), trials=_trials(own)))
    failed = [one for own in cells.values() for one in own if one.status == FAILED]
    if failed:
        _sentence(view, failed, sum(map(len, cells.values())), numbers)


def _sentence(view: StudyView, failed: Sequence[Learned], known: int, numbers: Numbers) -> None:
    what = "trials whose loss on dev does not end below that of the base as it is"
    ids, keys = _trials(failed), _keys(failed)
    count, of = rounding.count(len(failed)), rounding.count(known)
    numbers.add(Number("notLearnedCount", len(failed), count, what, keys=keys, trials=ids))
    told = "trained trials whose loss on dev is known beside the base's"
    numbers.add(Number("notLearnedOf", known, of, told, keys=keys, trials=ids))
    where = places(view, [(one.method, one.task, one.model) for one in failed])
    said = (
        r"Of \notLearnedOf{} trained trials \notLearnedCount{} do not end below the loss on dev of "
        rf"the base as it is and count as failed trainings: {where}.\xspace"
    )
    value = {one.trial: one.reason for one in failed}
    numbers.add(Number("notLearned", value, said, what, keys=keys, trials=ids, body=True))


def _keys(own: Sequence[Learned]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for one in own for key in one.keys))


def _trials(own: Sequence[Learned]) -> tuple[str, ...]:
    return tuple(one.trial for one in own)
