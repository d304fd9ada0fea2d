r"""Unlearned: which trained methods do not end below the base as it is, in loss on dev.

`\notLearned` names those that do not get more of dev right either: their scores are no evidence
about the method, only about this training of it. `\overSure` names those that do, and are too sure
of what they get wrong. Neither is there where every trial whose losses are known has learned.
`\learnedTrials` counts those that end below it, of all whose losses are known.
"""

from collections.abc import Sequence

from smalltune.analysis.learning import FAILED, LEARNED, OVERSURE, UNKNOWN, Learned
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.naming import MANY, Names
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.tuning_words import places
from smalltune.paper.view import StudyView

__all__ = ["add_learning"]

LOSSES = ("devLoss", "devLossBase")
LEARNT = (
    r"Of \learnedOf{} trained trials whose loss on dev is known beside that of the base as it is, "
    r"\learnedCount{} end below it.\xspace"
)
UNLEARNED = (
    r"Of \WORDOf{} trained trials \WORDCount{} do not end below the loss on dev of the base as it "
    r"is and count as failed trainings: WHERE.\xspace"
)
SURE = (
    r"Of \WORDOf{} trained trials \WORDCount{} get clearly more of dev right than the base as it "
    r"is and yet end with no lower loss there: WHERE.\xspace"
)


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
            (LOSSES[0], mean, f"mean loss on dev of {method} on {task}, in nats"),
            (LOSSES[1], own[0].base_loss, f"loss on dev of the base beside {method} on {task}"),
        ):
            text = rounding.score(value, percent=False)
            name = names.of(word, method, task=task, model=model)
            numbers.add(Number(name, value, text, what, keys=_keys(own), trials=_trials(own)))
    everything = [one for own in cells.values() for one in own]
    if everything:
        _count(everything, numbers)
    for word, status, said in (("notLearned", FAILED, UNLEARNED), ("overSure", OVERSURE, SURE)):
        marked = [one for one in everything if one.status == status]
        if marked:
            _sentence(view, word, said, marked, len(everything), numbers)


def _count(everything: Sequence[Learned], numbers: Numbers) -> None:
    below = [one for one in everything if one.status == LEARNED]
    for word, own, what in (
        ("learnedCount", below, "trained trials whose loss on dev ends below the base's"),
        ("learnedOf", everything, "trained trials whose loss on dev is known beside the base's"),
    ):
        text, keys = rounding.count(len(own)), _keys(own)
        numbers.add(Number(word, len(own), text, what, keys=keys, trials=_trials(own)))
    value, keys = len(below), _keys(everything)
    numbers.add(Number("learnedTrials", value, LEARNT, "what has learned", keys=keys, body=True))


def _sentence(
    view: StudyView, word: str, said: str, marked: Sequence[Learned], known: int, numbers: Numbers
) -> None:
    what = f"trials that are {marked[0].status}: loss on dev not below that of the base as it is"
    ids, keys = _trials(marked), _keys(marked)
    count, of = rounding.count(len(marked)), rounding.count(known)
    numbers.add(Number(f"{word}Count", len(marked), count, what, keys=keys, trials=ids))
    told = "trained trials whose loss on dev is known beside the base's"
    numbers.add(Number(f"{word}Of", known, of, told, keys=keys, trials=ids))
    where = places(view, [(one.method, one.task, one.model) for one in marked])
    text = said.replace("WORD", word).replace("WHERE", where + _losses(view, marked))
    value = {one.trial: one.reason for one in marked}
    numbers.add(Number(word, value, text, what, keys=keys, trials=ids, body=True))


def _losses(view: StudyView, marked: Sequence[Learned]) -> str:
    """Return the mean loss of each place beside the base's, where the places are not too many."""
    cells = dict.fromkeys((one.method, one.task, one.model) for one in marked)
    if len(cells) > MANY:
        return ""
    names, said = Names(view), []
    for method, task, model in cells:
        at = [names.of(word, method, task=task, model=model) for word in LOSSES]
        title = places(view, [(method, task, model)])
        said.append(rf"{title} \{at[0]}{{}} against \{at[1]}{{}}")
    return f". The mean losses of all runs there beside the base's, in nats: {'; '.join(said)}"


def _keys(own: Sequence[Learned]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for one in own for key in one.keys))


def _trials(own: Sequence[Learned]) -> tuple[str, ...]:
    return tuple(one.trial for one in own)
