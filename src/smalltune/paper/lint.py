r"""Lint: what an author's text may not say, found before LaTeX runs, each with file and line.

A text of the study may use the macros of `numbers.tex` and everyday LaTeX, nothing else (so it can
neither read files nor define commands). Where results are told, a digit or a number in words typed
by hand is refused, and so is a verdict in words: the claims' macros say which method is better.

A comment `% words: GPT-2, ten-sided` at the start of a line declares words that may hold digits.
"""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from smalltune.paper.words import DECLARED, ENVIRONMENTS, LATEX, NUMERALS, OPAQUE, VERDICTS

__all__ = ["Finding", "Vocabulary", "lint"]

OPEN_SECTIONS = frozenset({"related_work"})  # other people's numbers may be quoted here
VERDICT_SECTIONS = frozenset({"abstract", "results", "examples", "discussion", "conclusion"})
COMMAND = re.compile(r"\\([a-zA-Z@]+\*?|.)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """Something that the text may not say, and what to do about it."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """Return `file:line: what is wrong and what to do`."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Vocabulary:
    """What a text may use: macros and claims of this paper, citation keys, declared words.

    `claims` maps a claim's name to its verdict, so that `\\assert` can be held against it.
    """

    macros: Collection[str]
    claims: dict[str, str]
    cites: Collection[str]
    words: Collection[str] = ()


def lint(path: Path, section: str, text: str, vocabulary: Vocabulary) -> list[Finding]:
    """Return what a section's text says that it may not, in the order of its lines."""
    declared = re.findall(r"^%\s*words:(.*)$", text, re.MULTILINE)
    words = {word.strip() for line in declared for word in line.split(",")} - {""}
    bare = re.sub(r"(?<!\\)((?:\\\\)*)%.*", r"\1", text)
    found = [*_commands(bare, vocabulary), *_claims(bare, vocabulary), *_cites(bare, vocabulary)]
    if section not in OPEN_SECTIONS:
        found += _digits(_prose(bare, DECLARED | set(vocabulary.words) | words))
    if section in VERDICT_SECTIONS:
        found += _verdicts(_prose(_without_branches(bare), words))
    lines = [Finding(path, bare.count("\n", 0, place) + 1, said) for place, said in found]
    return sorted(set(lines), key=lambda finding: (finding.line, finding.message))


Found = Iterator[tuple[int, str]]


def _commands(text: str, vocabulary: Vocabulary) -> Found:
    known = {*LATEX, *vocabulary.macros, *vocabulary.claims}
    for match in COMMAND.finditer(text):
        name = match[1].rstrip("*")
        if name.isalpha() and name not in known:
            yield match.start(), f"unknown macro \\{name}. {_nearest(name, known)}"
    for match in re.finditer(r"\\(?:begin|end)\s*\{([^}]*)\}?", text):
        if match[1] not in ENVIRONMENTS:
            near = _nearest(match[1], ENVIRONMENTS)
            yield match.start(), f"unknown environment {match[1]!r}. {near}"
    for match in re.finditer(r"\\(?:url|href)\s*\{(?!https?://)", text):
        yield match.start(), "a link must start with https:// or http://"
    for match in re.finditer(r"\^\^", text):
        yield match.start(), "'^^' hides characters from the check. Write the character itself"


def _claims(text: str, vocabulary: Vocabulary) -> Found:
    for match in re.finditer(r"\\(assert|whichever)\s*\{(\w*)\}(?:\s*\{(\w*)\})?", text):
        command, claim, verdict = match.groups()
        actual = vocabulary.claims.get(claim)
        if actual is None:
            yield match.start(), f"unknown claim {claim!r}. {_nearest(claim, vocabulary.claims)}"
        elif command == "assert" and verdict != actual:
            yield (
                match.start(),
                f"{claim} is asserted to be {verdict!r}, but the statistics say {actual!r}. "
                f"Write \\{claim}, which says what they carry",
            )


def _cites(text: str, vocabulary: Vocabulary) -> Found:
    for match in re.finditer(r"\\(?:cite\w*|nocite)\*?(?:\[[^]]*\])*\{([^}]*)\}", text):
        for key in (key.strip() for key in match[1].split(",")):
            if key not in vocabulary.cites:
                near = _nearest(key, vocabulary.cites)
                yield match.start(), f"no entry {key!r} in the bibliography. {near}"


def _digits(text: str) -> Found:
    for match in re.finditer(r"[#\w.,]*\d[\w.,]*", text):
        word = match[0].strip(".,")
        yield match.start(), f"{word!r} is typed by hand. Use a macro of numbers.tex"
    for match in NUMERALS.finditer(text):
        yield match.start(), f"{match[0]!r} is a number in words. Use a macro of numbers.tex"


def _verdicts(text: str) -> Found:
    for match in VERDICTS.finditer(text):
        said = f"{match[0]!r} is a verdict in words. Use a claim's macro, or \\whichever"
        yield match.start(), said


def _prose(text: str, words: Collection[str]) -> str:
    """Blank out what is no prose: commands, opaque arguments, declared words."""
    opaque = "|".join(sorted(OPAQUE))
    text = re.sub(rf"\\(?:{opaque})\*?\s*(?:\[[^]]*\]|\{{[^}}]*\}})+", _blank, text)
    text = re.sub(r"\\whichever\s*\{\w*\}", _blank, text)
    text = COMMAND.sub(_blank, text)
    for word in sorted(words, key=len, reverse=True):
        pattern = r"(?<![\w])" + re.escape(word).replace(r"\ ", r"[\s~]+") + r"(?![\w])"
        text = re.sub(pattern, _blank, text)
    return text


def _without_branches(text: str) -> str:
    """Blank out the branches of `\\whichever` that are printed for a better or worse result."""
    for match in re.finditer(r"\\whichever\s*\{\w*\}", text):
        start = match.end()
        for _branch in ("better", "worse"):
            end = _close(text, start)
            text = text[:start] + _blank_text(text[start:end]) + text[end:]
            start = end
    return text


def _close(text: str, start: int) -> int:
    """Return the place after the brace group that begins at or after `start`."""
    depth = 0
    for place in range(start, len(text)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return place + 1
    return len(text)


def _blank(match: re.Match[str]) -> str:
    return _blank_text(match[0])


def _blank_text(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _nearest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else ""
