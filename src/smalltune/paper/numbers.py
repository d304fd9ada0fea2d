r"""Numbers: every number of the paper is a LaTeX macro with a way back to the store.

The author writes `\accuracyLoraReviews`; `numbers.tex` holds what it prints, `numbers.json` what
it is, by which formula, from which trials and artifacts. A digit typed by hand is an error.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.errors import LatexError
from smalltune.paper.escape import SPECIALS

__all__ = ["Number", "Numbers", "macro_name", "plain"]

DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
UNITS = {
    "": "",
    "%": r"\,\%",
    "points": r"\ points",
    "million": r"\ million",
    "s": r"\,s",
    "min": r"\,min",
    "h": r"\,h",
    "MB": r"\,MB",
    "GB": r"\,GB",
    "J": r"\,J",
    "kJ": r"\,kJ",
}
PLAIN = {
    r"$-$": "\N{MINUS SIGN}",
    r"$+$": "+",
    r"$<$": "<",
    r"$p$": "p",
    r"\times10^{": " x 10^",
    r"\xspace": "",
    r"\allowbreak": "",
    r"\,": " ",
    r"\ ": " ",
    r"\%": "%",
    r"\_": "_",
    r"\&": "&",
    r"\#": "#",
    "{}": "",
    "{": "",
    "}": "",
    "$": "",
}
HEADER = r"""% Written by smalltune. numbers.json says where each number comes from.
\providecommand{\xspace}{}
\DeclareRobustCommand{\stnum}[2]{#1#2\xspace}
% \cell{\name} prints a number without its unit, for tables.
\DeclareRobustCommand{\cell}[1]{{\def\stnum##1##2{##1}#1}}
% \whichever{claimName}{better}{worse}{equivalent}{unclear} prints the text that the result carries;
% \assert{claimName}{better} prints nothing: the paper is not built when the result is another.
\DeclareRobustCommand{\whichever}[1]{\csname which:#1\endcsname}
\DeclareRobustCommand{\assert}[2]{\ignorespaces}
"""


@dataclass(frozen=True)
class Number:
    """One number: its value, the LaTeX text that prints it, and its origin.

    `what` is its meaning or formula, `trials` the ids of the trials and `keys` the artifacts that
    it is made from; `source` is a place in the study file for what was chosen, not measured.
    With `body` the text is a whole sentence, printed as it stands (see `claims`).
    """

    id: str
    value: Any
    text: str
    what: str
    unit: str = ""
    keys: tuple[str, ...] = ()
    trials: tuple[str, ...] = ()
    source: str = ""
    body: bool = False

    def macro(self) -> str:
        r"""Return the `\newcommand` line; what prints as a dash has no unit."""
        if self.body:
            return rf"\newcommand{{\{self.id}}}{{{self.text}}}"
        unit = self.printed().removeprefix(self.text)
        return rf"\newcommand{{\{self.id}}}{{\stnum{{{self.text}}}{{{unit}}}}}"

    def printed(self) -> str:
        """Return what the reader sees, macros of other numbers left as they are."""
        return self.text + ("" if self.text == "--" or self.body else UNITS[self.unit])

    def record(self) -> dict[str, Any]:
        """Return what numbers.json keeps; NaN becomes null."""
        undefined = isinstance(self.value, float) and not math.isfinite(self.value)
        return {
            "value": None if undefined else self.value,
            "text": self.text,
            "unit": self.unit,
            "what": self.what,
            "source": self.source,
            "trials": list(self.trials),
            "keys": list(self.keys),
        }


class Numbers:
    """The numbers of one paper, by id; an id is given once."""

    def __init__(self) -> None:
        """Start without a number."""
        self._numbers: dict[str, Number] = {}

    def add(self, number: Number) -> str:
        r"""Take a number in and return its macro, `\id`.

        Raises LatexError when another number has the same id.
        """
        if self._numbers.setdefault(number.id, number) != number:
            raise LatexError(
                f"two numbers would be called \\{number.id}: {self[number.id].what!r} and "
                f"{number.what!r}. Rename a method or task in the study file"
            )
        return f"\\{number.id}"

    def __getitem__(self, name: str) -> Number:
        """Return a number by its id; raises KeyError."""
        return self._numbers[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a number of this id."""
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        """Yield the ids in order."""
        return iter(sorted(self._numbers))

    def _printed(self, name: str) -> str | None:
        return self[name].printed() if name in self else None

    def write(self, folder: Path, more: Iterable[str] = ()) -> None:
        """Write numbers.tex (with `more` lines at its end) and numbers.json into a folder."""
        lines = [HEADER, *(self[name].macro() for name in self), *more]
        (folder / "numbers.tex").write_text("\n".join(lines) + "\n", encoding="utf-8")
        records = {
            name: {**self[name].record(), "printed": plain(self[name].printed(), self._printed)}
            for name in self
        }
        text = json.dumps(records, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "numbers.json").write_text(text + "\n", encoding="utf-8")


def plain(text: str, macro: Callable[[str], str | None]) -> str:
    r"""Return LaTeX as plain text; `macro` gives the LaTeX that a number's name stands for.

    Knows what `rounding`, `escape` and `claims` write, nothing else.
    """
    for _depth in range(3):  # a claim names numbers, an interval names none
        text = re.sub(r"\\([a-zA-Z]+)(?:\{\})?", lambda m: _known(m, macro), text)
    for said, latex in SPECIALS.items():
        if latex.startswith("\\text"):
            text = text.replace(latex, said)
    text = re.sub(r"\\unprintable\{([^{}]*)\}", r"[\1]", text)
    text = re.sub(r"\\(?:emph|texttt|mbox)\{([^{}]*)\}", r"\1", text)
    for latex, said in PLAIN.items():
        text = text.replace(latex, said)
    return " ".join(text.split())


def _known(match: re.Match[str], macro: Callable[[str], str | None]) -> str:
    found = macro(match[1])
    return match[0] if found is None else found


def macro_name(*words: object) -> str:
    """Return a macro name made of letters only: the words in camel case, digits spelt out.

    >>> macro_name("accuracy", "lora", "sst2")
    'accuracyLoraSstTwo'
    """
    parts: list[str] = []
    for word in words:
        plain = unicodedata.normalize("NFKD", str(word)).encode("ascii", "ignore").decode()
        for part in re.findall(r"[a-zA-Z]+|\d", plain):
            spelt = DIGITS[int(part)] if part.isdigit() else part
            parts.append(spelt[:1].upper() + spelt[1:])
    name = "".join(parts)
    return name[:1].lower() + name[1:]
