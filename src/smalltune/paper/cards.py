"""Cards: what a reader has to know of each task's data before believing a score on it.

After Gebru et al. (2021), as far as it can be counted: sizes, balance of labels, lengths in words
and tokens, repeats within and across splits, what was left out or cut, where the rows are from.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from smalltune.analysis.results import Results
from smalltune.paper.counts import PAIRS, SPLITS, data_facts, label_names
from smalltune.paper.escape import Tex, escape, link
from smalltune.paper.naming import Names, heading
from smalltune.paper.numbers import Numbers, macro_name
from smalltune.paper.remarked import KEPT, note_text
from smalltune.paper.tables import cell, floating, table, tabular
from smalltune.paper.view import StudyView, TaskView

__all__ = ["card_name", "card_tables", "data_table", "dropped_rows", "kept_rows"]

MOST = 8
"""Labels that a card lists; of more only the most frequent ones."""

TURNS = ("tokens", "turns", "dropped")
HEAD = ["", *(split.capitalize() for split in SPLITS)]
COLUMN = r">{\raggedright\arraybackslash}p"
TEXT = rf"\begin{{tabular}}{{@{{}}{COLUMN}{{0.2\linewidth}}{COLUMN}{{0.72\linewidth}}@{{}}}}"


def data_table(view: StudyView, numbers: Numbers) -> Tex:
    """Return rows, labels and lengths of each split."""
    names, rows = Names(view), []
    for task in view.tasks:
        if len(view.tasks) > 1:
            rows.append([str(escape(heading(task.title)))])
        words_of = label_names(task.labels.values())
        for split in SPLITS:

            def number(*words: str, split: str = split, task: str = task.name) -> str:
                return cell(numbers, names.of(*words, task=task))

            labels = [number("rows", split, word) for word in words_of.values()]
            counts = " / ".join(labels) if 0 < len(labels) <= 4 else "--"
            words = [number("words", split), number("longest", split)]
            rows.append([heading(split), number("rows", split), counts, *words])
    order = " / ".join(str(escape(w)) for w in view.tasks[0].labels.values())
    said = f" ({order})" if len(view.tasks) == 1 and 0 < len(view.tasks[0].labels) <= 4 else ""
    label = any(task.labels for task in view.tasks)
    by = f", rows by label{said}," if label else ""
    caption = f"Data: rows{by} and the mean and greatest number of words per row."
    head = ["", "Rows", *["By label"] * label, "Words", "Longest"]
    columns = "lrcrr" if label else "lrrr"
    rows = rows if label else [row[:2] + row[3:] for row in rows]
    return table("data", caption, columns, head, rows)


def card_name(task: str) -> str:
    """Return the name of a task's card, for `\\ref{tab:...}`."""
    return f"card-{macro_name(task)}"


def dropped_rows(names: Names, results: Results, task: str) -> Tex:
    """Return why rows were left out, with their numbers, or nothing where none were."""
    reasons = [r for r, count in data_facts(results, task).get("dropped", {}).items() if count]
    macros = [rf"\{names.of('dropped', reason, task=task)}{{}}" for reason in reasons]
    return Tex("; ".join(f"{escape(r)}: {m}" for r, m in zip(reasons, macros, strict=True)))


def kept_rows(names: Names, results: Results, task: TaskView) -> Tex:
    """Return what the card notes of train rows that resemble others and were kept, or nothing."""
    facts = data_facts(results, task.name)
    return note_text(facts, task.labels.values(), names, task.name, saying=KEPT)


def card_tables(
    view: StudyView, results: Results, numbers: Numbers, known: Iterable[str]
) -> dict[str, Tex]:
    """Return each prepared task's card by the task's name; `known` are the keys of works."""
    cards: dict[str, Tex] = {}
    for task in view.tasks:
        facts = data_facts(results, task.name)
        if facts:
            rows = _Rows(view, task, facts, numbers)
            texts = list(_texts(task, facts, numbers, Names(view), frozenset(known)))
            said = "".join(rf"{name} & {text} \\" + "\n" for name, text in texts)
            below = f"\\par\\vspace{{5pt}}\n{TEXT}\n{said}\\end{{tabular}}\n" if said else ""
            inside = tabular("lrrr", HEAD, rows.all()) + below
            read = "pieces of text" if task.answers == "running text" else "prompts"
            lengths = f" Lengths in tokens are those of the {read}." if view.models else ""
            if task.answers in ("text", "likelihood") and view.models:
                lengths += (
                    " An answer is cut where it is longer than the tokens allowed, and lost where "
                    "it stands in the part of the prompt that was cut."
                    if task.options.get("extractive")
                    else " An answer is cut where it is longer than the tokens allowed."
                )
            twin = " A twin is a row with the same or nearly the same words; a dash: not counted."
            caption = f"Data card of {escape(task.title)}.{lengths}{'' if cards else twin}"
            cards[task.name] = floating(card_name(task.name), caption, inside)
    return cards


class _Rows:
    """The rows of a card's table: a name, and a number for each split."""

    def __init__(self, view: StudyView, task: TaskView, facts: Mapping[str, Any], numbers: Numbers):
        self.view, self.task, self.facts, self.numbers = view, task, facts, numbers
        self.names = Names(view)

    def all(self) -> list[list[str]]:
        """Return every row."""
        return [
            self.row("Rows", "rows"),
            *self.some("Groups of rows", "groups"),
            *self.labels(),
            *self.some("Most frequent label", "largest", "label"),
            self.row("Words per row, mean", "words"),
            self.row("Words, longest row", "longest"),
            *self.some("References per row, mean", "references", "each"),
            *self.some("Words per reference, mean", "references", "words"),
            *self.tokens(),
            self.row("Exact repeats within", "duplicates", "exact"),
            self.row("Near repeats within", "duplicates", "near"),
            *self.twins(),
        ]

    def row(self, said: str, *words: str, after: Sequence[str] = (), model: str = "") -> list[str]:
        """Return a row of numbers that are named by words, the split and the words after it."""
        found = [
            self.names.of(*words, split, *after, task=self.task.name, model=model)
            for split in SPLITS
        ]
        return [said, *(cell(self.numbers, name) for name in found)]

    def some(self, said: str, *words: str, model: str = "") -> list[list[str]]:
        """Return the row unless none of its numbers is there."""
        row = self.row(said, *words, model=model)
        return [row] if any(value != "--" for value in row[1:]) else []

    def labels(self) -> list[list[str]]:
        """Return the most frequent labels by their rows in all splits, and how many more."""
        counts: dict[str, int] = dict.fromkeys(self.task.labels.values(), 0)
        for split in self.facts["splits"].values():
            for label, rows in split["labels"].items():
                counts[label] = counts.get(label, 0) + rows
        counts.pop("", None)
        order = sorted(counts, key=lambda label: -counts[label])
        shown = order if len(order) <= MOST else order[: MOST - 2]
        words = label_names(counts)
        rows = [
            self.row(rf"\quad {escape(label, limit=24)}", "rows", after=(words[label],))
            for label in counts
            if label in shown
        ]
        if len(shown) < len(order):
            name = self.names.of("labels", task=self.task.name)
            said = rf"\quad the most frequent of {cell(self.numbers, name)} labels"
            rows.insert(0, [rf"\emph{{{said}}}", "", "", ""])
        return rows

    def tokens(self) -> list[list[str]]:
        """Return lengths in tokens and the share of cut rows for each model that read the task."""
        rows = []
        for model in self.view.models:
            of = f", {escape(model.title)}" if len(self.view.models) > 1 else ""
            rows += [
                self.row(f"Tokens per row, mean{of}", "tokensMean", model=model.name),
                self.row(f"Tokens, longest row{of}", "tokensLongest", model=model.name),
                self.row(rf"Rows cut (\%){of}", "truncatedShare", model=model.name),
                *self.some(f"Rows without old exchanges{of}", *TURNS, model=model.name),
                *self.some(f"Answers cut{of}", "tokens", "answers", "cut", model=model.name),
                *self.some(f"Answers lost{of}", "tokens", "answers", "lost", model=model.name),
            ]
        return rows

    def twins(self) -> Iterator[list[str]]:
        """Yield the rows of later splits that have a twin in an earlier one."""
        for first in dict.fromkeys(pair[0] for pair in PAIRS):
            for kind in ("exact", "near"):
                cells = []
                for split in SPLITS:
                    name = self.names.of("across", kind, first, split, task=self.task.name)
                    cells.append(cell(self.numbers, name) if (first, split) in PAIRS else "")
                yield [f"{kind.capitalize()} twins in {first}", *cells]


def _texts(
    task: TaskView,
    facts: Mapping[str, Any],
    numbers: Numbers,
    names: Names,
    known: frozenset[str],
) -> Iterator[tuple[str, Tex]]:
    """Yield what a card says in words, each with its name."""

    def number(*words: str) -> str:
        return rf"\{names.of(*words, task=task.name)}{{}}"

    dropped = [r for r, count in facts.get("dropped", {}).items() if count]
    if dropped:
        yield "Left out", Tex("; ".join(f"{escape(r)}: {number('dropped', r)}" for r in dropped))
    if "near" in facts:
        method = escape(facts["near"]["method"])
        yield "Near", Tex(f"{method}, similarity of at least {number('nearThreshold')}")
    yield "Licence", escape(task.licence or "not stated")
    if task.language:
        yield "Language", escape(task.language)
    if task.link:
        yield "Source", link(task.link)
    cited = [key for key in task.cite if key in known]
    if cited:
        yield "Work", Tex(rf"\citet{{{','.join(cited)}}}")
    notes = note_text(facts, task.labels.values(), names, task.name)
    if notes:
        yield "Notes", notes
