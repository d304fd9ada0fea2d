r"""Remarked: what the preparation of a task noted in sentences, with its numbers as macros.

`prepare` stores notes as plain sentences. Each number in one gets a name, `noteOneCountTwoReviews`
for the second number of the first note, so that it is printed and traced like any other.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names

__all__ = ["KEPT", "note_counts", "note_text"]

KEPT = "were kept"
"""What a note says of rows that other preparations might have dropped."""

LONGEST = 600  # letters of a note
NUMBER = r"(?<![\w.])(?<![^\W\d]-)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w|\.\d)"  # not SST-2


def note_counts(
    facts: Mapping[str, Any], labels: Iterable[str]
) -> Iterator[tuple[tuple[str, ...], float, str]]:
    """Yield each number of the notes: the words of its name, its value, and its note.

    A label that a note names is a name, even where it is written in digits.
    """
    known = tuple(labels)
    for place, note in enumerate(_notes(facts), 1):
        for nth, found in enumerate(_numbers(note, known), 1):
            digits = found[0].replace(",", "")
            yield _words(place, nth), float(digits) if "." in digits else int(digits), note


def note_text(
    facts: Mapping[str, Any], labels: Iterable[str], names: Names, task: str, *, saying: str = ""
) -> Tex:
    """Return the notes as LaTeX in which each number is its macro; no notes are no text.

    Only those that say `saying` are told.
    """
    known, said = tuple(labels), []
    for place, note in enumerate(_notes(facts), 1):
        if saying not in note:
            continue
        text, end = "", 0
        for nth, found in enumerate(_numbers(note, known), 1):
            text += _spaced(note[end : found.start()])
            text += rf"\{names.of(*_words(place, nth), task=task)}{{}}"
            end = found.end()
        said.append((text + _spaced(note[end:])).strip().removesuffix("."))
    return Tex("; ".join(said))


def _notes(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield each note, cut between two words where it is too long."""
    for note in facts.get("notes", ()):
        text = " ".join(str(note).split())
        yield text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0] + "\u2026"


def _numbers(note: str, labels: tuple[str, ...]) -> Iterator[re.Match[str]]:
    """Yield the numbers of a note, without those that belong to a label it lists."""
    listed = re.search(r"\blabels? ", note)
    named = [re.escape(label) for label in sorted(labels, key=len, reverse=True) if label]
    label = rf"(?P<label>(?<!\w)(?:{'|'.join(named)})(?!\w)(?! more))" if named else r"(?P<label>$)"
    at = listed.end() if listed else len(note)
    yield from re.compile(NUMBER, re.ASCII).finditer(note, 0, at)
    for found in re.compile(rf"{label}|{NUMBER}", re.ASCII).finditer(note, at):
        if found["label"] is None:
            yield found


def _words(place: int, nth: int) -> tuple[str, ...]:
    return ("note", str(place), "count", str(nth))


def _spaced(text: str) -> str:
    """Return a part of a note as LaTeX; the spaces at its ends separate it from its numbers."""
    before, after = text[:1].isspace(), text[-1:].isspace()
    return " " * before + escape(text) + " " * after
