"""Examples: tables of test items and what each method made of them, one for each task."""

from collections import Counter
from collections.abc import Sequence

from smalltune.analysis.results import Results
from smalltune.analysis.samples import RIGHT, Example, choose
from smalltune.paper import rounding
from smalltune.paper.escape import PLACEHOLDER, Tex, escape
from smalltune.paper.floors import FLOOR
from smalltune.paper.naming import Names, heading, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.tables import cell, table
from smalltune.paper.view import MethodView, StudyView, TaskView

__all__ = ["example_tables", "short_title"]

LONGEST = 330  # characters of an item's text
ANSWER = 220  # characters of a reference or of an answer that was written
CHOICE = 24  # characters of a choice, at least; all choices of an item share LONGEST
NARROW = 12  # characters of a column's head
METHODS = 7  # columns that fit on a page
HEADINGS = {
    "disagreement": "Where the methods disagree most",
    "hardest": "What is hardest for all methods together",
    "random": "Drawn at random",
}
WRONG = "What most runs of every method get wrong"
CUT = r" [\textellipsis{}]"
NOTHING = r"\emph{(nothing)}"
AGAIN = r"\emph{(the same text as above)}"
MANY = 6  # tasks, beyond which each of them has fewer examples


def example_tables(
    view: StudyView, results: Results, numbers: Numbers, *, each: int | None = None
) -> dict[str, Tex]:
    """Return by its name the table of each task's first model that has predictions.

    It has `each` items of each kind: two, or one where the study has many tasks, by default. The
    values of the items become numbers, so that they can be traced like all others.
    """
    each = each or (2 if len(view.tasks) <= MANY else 1)
    made: dict[str, Tex] = {}
    for task in view.tasks:
        for model in results.models or ("-",):
            found = choose(results, model, task.name, each=each)
            if found:
                name = "examples" if not made else f"examples-{len(made) + 1}"
                made[name] = _Table(view, results, numbers, task, model, found).latex(name)
                break
    return made


def _shown(methods: Sequence[MethodView]) -> list[MethodView]:
    """Return as many methods as a table holds; the baseline that reads no text goes first."""
    reading = [m for m in methods if m.method != FLOOR]
    return list(methods if len(methods) <= METHODS else reading[:METHODS])


class _Table:
    """The examples of one task, as one model and the methods without a model answered them."""

    def __init__(
        self,
        view: StudyView,
        results: Results,
        numbers: Numbers,
        task: TaskView,
        model: str,
        found: Sequence[Example],
    ):
        self.view, self.numbers, self.task, self.model = view, numbers, task, model
        self.found, self.metric = found, found[0].metric
        self.methods = _shown([m for m in view.methods if m.name in found[0].value])
        self.runs = Counter(
            trial.method
            for trial, split in results.stored()
            if split == "test" and trial.task == task.name and trial.model in (model, "-")
        )
        self.cut = False

    def latex(self, name: str) -> Tex:
        """Return the table: texts below each other where texts were written, else side by side."""
        written = any(example.text for example in self.found)
        columns, head, rows = self.below() if written else self.beside()
        what = (
            "the number of runs in which each method gave the right label"
            if self.metric == RIGHT
            else f"each method's {escape(inline(self.view.metric(self.metric).title))} of the item "
            f"alone{self._unit()}, its mean over the method's runs"
        )
        texts = ", and what the first run of each method wrote" if written else ""
        several = len(self.view.models) > 1 and self.model != "-"
        models = {model.name: model.title for model in self.view.models}
        caption = f"Test items of {escape(self.task.title)}"
        caption += f", asked of {escape(models.get(self.model, self.model))}," if several else ""
        caption += f" with {what}{texts}."
        caption += f"{CUT} marks where a long text was cut." if self.cut else ""
        if any(PLACEHOLDER in each for row in rows for each in row):
            caption += " Characters that the fonts do not have are shown by their code points."
        return table(name, caption, columns, head, rows, wide=True)

    def beside(self) -> tuple[str, list[str], list[list[str]]]:
        """Return columns, head and rows with a line for each item."""
        gold = any(example.gold for example in self.found)
        rows: list[list[str]] = []
        for place, one in enumerate(self.found, 1):
            rows += self._kind(place)
            right = [self._shown(one.gold, ANSWER)] if gold else []
            values = [self._value(place, one, method) for method in self.methods]
            rows.append([rf"{self._asked(one)}\vspace{{2pt}}", *right, *values])
        heads = [str(escape(short_title(m.title, m.name))) for m in self.methods]
        labels = all(len(example.gold) <= NARROW for example in self.found)
        wide = r">{\raggedright\arraybackslash}p{0.25\textwidth}"
        columns = r">{\raggedright\arraybackslash}p{0.5\textwidth}"
        columns += ("l" if labels else wide) * gold + "c" * len(heads)
        return columns, ["Text", *["Gold"] * gold, *heads], rows

    def below(self) -> tuple[str, list[str], list[list[str]]]:
        """Return columns, head and rows with a block for each item."""
        rows: list[list[str]] = []
        before: dict[str, str] = {}
        for place, one in enumerate(self.found, 1):
            rows += self._kind(place)
            rows.append(["Asked", self._asked(one), ""])
            first = "Reference" if len(one.references) < 2 else "First reference"
            rows.append([first if one.references else "Gold", self._shown(one.gold, ANSWER), ""])
            for method in self.methods:
                text = one.text.get(method.name)
                said = "--" if text is None else self._shown(text, ANSWER) or NOTHING
                said = AGAIN if text and before.get(method.name) == text else said
                before[method.name] = text or ""
                value = self._value(place, one, method)
                rows.append([str(escape(short_title(method.title, method.name))), said, value])
            rows[-1][1] += r"\vspace{3pt}"
        columns = r"l>{\raggedright\arraybackslash}p{0.78\textwidth}r"
        title = "Right" if self.metric == RIGHT else self.view.metric(self.metric).title
        return columns, ["", "Text", str(escape(title))], rows

    def _kind(self, place: int) -> list[list[str]]:
        """Return the heading of a kind before its first item."""
        kind = self.found[place - 1].kind
        if place > 1 and kind == self.found[place - 2].kind:
            return []
        said = WRONG if (kind, self.metric) == ("hardest", RIGHT) else HEADINGS.get(kind, kind)
        return [[rf"\emph{{{escape(said)}}}"]]

    def _asked(self, one: Example) -> str:
        texts = [self._shown(text, LONGEST) for text in one.fields.values() if text.strip()]
        letters = zip(self.task.labels.values(), one.choices, strict=False)
        limit = max(CHOICE, LONGEST // max(1, len(one.choices)))
        texts += [f"{escape(letter)}: {self._shown(text, limit)}" for letter, text in letters]
        return " / ".join(texts)

    def _shown(self, text: str, limit: int) -> str:
        """Return a text, cut between two words where it is too long."""
        plain = " ".join(text.split())
        if len(plain) <= limit:
            return str(escape(plain))
        self.cut = True
        return escape(plain[:limit].rpartition(" ")[0] or plain[:limit]) + CUT

    def _value(self, place: int, one: Example, method: MethodView) -> str:
        value = one.value[method.name]
        if self.metric == RIGHT:
            runs = self.runs[method.name]
            text, unit = f"{round(value * runs)}/{runs}", ""
            what = f"runs of {method.name} that gave the right label"
        else:
            metric = self.view.metric(self.metric)
            text = rounding.score(value, percent=metric.percent)
            what = f"{metric.title} of {method.name} on one item, mean over its runs,"
            unit = "%" if metric.percent else ""
        names = Names(self.view)
        name = names.of("example", str(place), method.name, task=self.task.name, model=self.model)
        said = f"{what} of item {one.id} ({one.kind})"
        self.numbers.add(Number(name, value, text, said, unit, keys=one.keys))
        return cell(self.numbers, name)

    def _unit(self) -> str:
        return " in percent" if self.view.metric(self.metric).percent else ""


def short_title(title: str, name: str) -> str:
    """Return a title that fits into a narrow column, or else the name."""
    return title if len(title) <= NARROW else heading(name.replace("_", " "))
