"""Counts: the numbers of a task's data: rows, labels, words, tokens, repeats, what was dropped.

They come from the facts of `prepare` and, for each model that reads the task, of `tokens`. What an
older artifact did not count has no number, and prints as a dash.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from smalltune.analysis.records import TokenFacts
from smalltune.analysis.results import Results
from smalltune.core.errors import DataError, StoreError
from smalltune.paper import rounding
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.remarked import note_counts
from smalltune.paper.view import StudyView, TaskView

__all__ = ["PAIRS", "SPLITS", "add_counts", "data_facts", "label_names", "passed"]

SPLITS = ("train", "dev", "test")
PAIRS = (("train", "dev"), ("train", "test"), ("dev", "test"))
"""The splits whose rows are compared: rows of the second that have a twin in the first."""

TWINS = {"exact": "the same normalised words", "near": "nearly the same words"}
NAN = float("nan")


class Count(NamedTuple):
    """One number before it has a name: the words of its name, its value, text and meaning."""

    words: tuple[str, ...]
    value: Any
    text: str
    what: str
    unit: str = ""
    source: str = "prepare: facts.json"


def add_counts(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add the numbers of each task's data; a task that is not prepared yet has none."""
    names = Names(view)
    for task in view.tasks:
        facts = data_facts(results, task.name)
        if not facts:
            continue
        prepared = {t.data for t in results.trials if t.task == task.name and t.data}
        for one in _data(task, facts):
            name = names.of(*one.words, task=task.name)
            numbers.add(Number(name, *one[1:5], keys=tuple(sorted(prepared)), source=one.source))
        for model in view.models:
            read = results.token_facts(task.name, model.name)
            if read is None:
                continue
            for one in _tokens(task, model.name, read):
                name = names.of(*one.words, task=task.name, model=model.name)
                numbers.add(Number(name, *one[1:5], keys=(read.key,), source=one.source))


def data_facts(results: Results, task: str) -> Mapping[str, Any]:
    """Return what the preparation of a task counted, or nothing while it is not stored."""
    try:
        return results.data_facts(task)
    except (DataError, StoreError):
        return {}


def label_names(labels: Iterable[str]) -> dict[str, str]:
    """Return the word by which each label stands in the names of numbers.

    Usually the label itself; where its letters are no name of their own (`C++` beside `C`, or
    another script), `label` with its place in the task's list.
    """
    found = list(dict.fromkeys(labels))
    plain = [macro_name(label).lower() for label in found]
    return {
        label: label if name and plain.count(name) == 1 else f"label {place}"
        for place, (label, name) in enumerate(zip(found, plain, strict=True), 1)
    }


def passed(names: Names, numbers: Numbers, task: TaskView) -> list[str]:
    """Return the splits that have more rows than their limit: one group that is larger."""
    rows = {split: names.of("rows", split, task=task.name) for split in task.held}
    return [s for s, n in rows.items() if n in numbers and numbers[n].value > task.held[s]]


def _data(task: TaskView, facts: Mapping[str, Any]) -> Iterator[Count]:
    for split, found in facts["splits"].items():
        yield from _split(task, split, found)
    for pair, twins in facts.get("across", {}).items():
        first, _, second = pair.partition("-")
        for kind, value in twins.items():
            what = f"rows of {task.name} in {second} with {TWINS[kind]} as a row in {first}"
            words = ("across", kind, first, second)
            yield Count(words, value, rounding.count(value), what, source=_at("across", pair))
    if "near" in facts:
        value = facts["near"]["threshold"]
        what = f"similarity from which two rows are nearly the same: {facts['near']['method']}"
        text = rounding.setting(value)
        yield Count(("nearThreshold",), value, text, what, source=_at("near", "threshold"))
    if task.labels:
        yield _count(("labels",), len(task.labels), f"labels of {task.name}")
    yield from _dropped(task, facts.get("dropped", {}))
    for named, value, note in note_counts(facts, task.labels.values()):
        what = f"a number in the note on {task.name}: {note}"
        text = rounding.setting(value)
        yield Count(named, value, text, what, source="prepare: facts.json, notes")
    yield from _limits(task)


def _limits(task: TaskView) -> Iterator[Count]:
    for limits, who in ((task.limit, "each seed draws"), (task.held, "are drawn for all trials")):
        for split, value in limits.items():
            what = f"rows of the {split} split of {task.name} that {who}"
            yield _count(("limit", split), value, what)


def _dropped(task: TaskView, dropped: Mapping[str, int]) -> Iterator[Count]:
    what = f"rows of {task.name} left out of the splits: {dict(dropped)}"
    yield _count(("dropped",), sum(dropped.values()), what)
    for reason, value in dropped.items():
        yield _count(("dropped", reason), value, f"rows left out: {reason}")


def _split(task: TaskView, split: str, found: Mapping[str, Any]) -> Iterator[Count]:
    where, source = f"in the {split} split of {task.name}", _at("splits", split)
    rows, labels = found["rows"], {name: n for name, n in found["labels"].items() if name}
    share = max(labels.values(), default=0) / rows if rows else NAN
    mean, longest = found["words_mean"], found["words_max"]
    percent = rounding.score(share, percent=True) + r"\,\%"
    made = [
        _count(("rows", split), rows, f"rows {where}"),
        Count(("words", split), mean, rounding.mean(mean), f"mean number of words per row {where}"),
        _count(("longest", split), longest, f"words of the longest row {where}"),
    ]
    if labels:
        what = f"share of the most frequent label {where}"
        made.append(Count(("largest", "label", split), share, percent, what))
    if "groups" in found:
        made.append(_count(("groups", split), found["groups"], f"groups of rows {where}"))
    if "references" in found:
        each, mean = found["references"] / rows if rows else NAN, found["reference_words_mean"]
        what = f"mean number of references per row {where}"
        made.append(_count(("references", split), found["references"], f"references {where}"))
        made.append(Count(("references", "each", split), each, rounding.mean(each), what))
        what = f"mean number of words per reference {where}"
        made.append(Count(("references", "words", split), mean, rounding.mean(mean), what))
    names = label_names([*task.labels.values(), *labels])
    for label, value in labels.items():
        made.append(_count(("rows", split, names[label]), value, f"rows labelled {label} {where}"))
    for kind, value in found.get("duplicates", {}).items():
        what = f"rows with {TWINS[kind]} as an earlier row {where}"
        made.append(_count(("duplicates", kind, split), value, what))
    yield from (one._replace(source=source) for one in made)


def _tokens(task: TaskView, model: str, read: TokenFacts) -> Iterator[Count]:
    """Yield what a model's tokeniser made of a task's rows."""
    if read.limit is not None:
        what = f"tokens that a prompt of {task.name} may have for {model}"
        text = rounding.count(read.limit)
        yield Count(("tokensLimit",), read.limit, text, what, source="tokens: max_length")
    for split, found in read.splits.items():
        where = f"of a prompt in {split} of {task.name}, by the tokeniser of {model}"
        rows, cut = found["rows"], _cut(found)
        whole = rows and not found["truncated"]
        mean = found.get("mean", found["tokens"] / rows if whole else NAN)
        share = cut / rows if rows else NAN
        percent = rounding.score(share, percent=True)
        made = (
            Count(
                ("tokensMean", split), mean, rounding.mean(mean), f"mean number of tokens {where}"
            ),
            _count(("tokensLongest", split), _longest(found), f"greatest number of tokens {where}"),
            _count(
                ("truncated", split),
                cut,
                f"rows whose text was cut in {split} of {task.name} for {model}",
            ),
            Count(
                ("truncatedShare", split),
                share,
                percent,
                f"share of rows whose text was cut in {split} of {task.name}",
                "%",
            ),
        )
        more = {
            "answers_cut": "answers that were cut at their greatest length",
            "turns_dropped": "conversations that lost their oldest exchanges",
            "answers_lost": "rows whose answer is in no part of the prompt that was kept,",
        }
        extra = [
            _count(("tokens", *word.split("_"), split), found[word], f"{said} {where}")
            for word, said in more.items()
            if word in found
        ]
        source = _at("splits", split, "tokens")
        yield from (one._replace(source=source) for one in (*made, *extra))


def _cut(found: Mapping[str, Any]) -> float:
    """Return the rows whose text was cut, without those that only lost exchanges of a conversation.

    An older artifact counts both together: what it says of text is known where none lost exchanges.
    """
    if found.get("turns_dropped") and "texts_cut" not in found:
        return NAN
    return int(found.get("texts_cut", found["truncated"]))


def _longest(found: Mapping[str, Any]) -> float:
    """Return the longest row before any was cut: the end of the histogram's last, open bin."""
    if "lengths" in found:
        return int(found["lengths"]["edges"][-1]) - 1
    return NAN if found["truncated"] else int(found["longest"])


def _count(words: tuple[str, ...], value: float, what: str) -> Count:
    return Count(words, value, rounding.count(value), what)


def _at(place: str, name: str, stage: str = "prepare") -> str:
    return f"{stage}: facts.json, {place}.{name}"
