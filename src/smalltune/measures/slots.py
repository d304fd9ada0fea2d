"""Facts in a text: which slots of a meaning representation it says, and which it makes up.

A meaning representation is a list of facts, `name[The Eagle], food[French], familyFriendly[no]`. A
mention is a place in the text that says a value of a slot. How values are said:

- slots with values of E2E's restaurants, by the phrases in `restaurants.py`: "cheap" says
  priceRange[cheap] or priceRange[less than £20], "adults only" says familyFriendly[no];
- yes and no of any other slot, by the words of the slot's name: "outdoor seating" says
  outdoorSeating[yes], with a word such as "no" or "without" near by outdoorSeating[no];
- all else as written, but for case, accents, dashes, apostrophes and a leading "the".

Only slots that some item has can be made up, and of values as written only those that some item
has in the same slot.

A mention inside a longer one is none: "Raja Indian Cuisine" does not say food[Indian]. Nor is one
that is denied, "no coffee shop", "is not located in the city centre": a denial stands before the
value with nothing between but articles, prepositions and words such as "serve", so that "a not
family friendly pub" stays a pub. A phrase that may say several values says the one asked for. Then
each slot has at most one error:

- missing: a slot of the meaning representation of which no value is said;
- wrong: another value is said, and the right one is not;
- invented: a slot that is not asked for is said, or a further value beside the right one.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from smalltune.core.errors import DataError
from smalltune.measures.restaurants import PHRASES, SILENT

__all__ = ["VERSION", "Errors", "Facts", "compare", "errors", "parse", "values_of"]

VERSION = 2
Facts = Mapping[str, str]
_SLOT = re.compile(r"\s*([^\[\],]+?)\s*\[([^\[\]]*)\]\s*(?:,|$)")
_NO = r"(?:no|not|non|without|lacks?|never|neither|nor|cannot|(?:is|are|do|does|has|have)nt)"
_BEFORE = re.compile(rf"\b{_NO}(?: (?!(?:and|but)\b)\w+){{0,3}} $")
_AFTER = re.compile(rf" (?:(?:is|are|do|does|can|may|must|should|will) )?{_NO}\b")
_DENIED = re.compile(
    rf"\b{_NO}(?: (?:an?|any|the|in|at|by|on|near|of|to|have|having|serv(?:e|es|ing)|"
    r"offer(?:s|ing)?|sell(?:s|ing)?|located|situated|really|actually|even))* $"
)
_OPPOSED = frozenset({"family friendly", "price range", "customer rating"})
"""Slots whose phrases say by themselves what a denial means: "not cheap" is another price."""
_BOOLEAN = ("yes", "no")


@dataclass(frozen=True)
class Errors:
    """The slots that a text gets wrong, by kind, and how many facts it was to say."""

    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    invented: tuple[str, ...]
    facts: int

    @property
    def count(self) -> int:
        """The number of errors of all kinds."""
        return len(self.missing) + len(self.wrong) + len(self.invented)


@dataclass(frozen=True)
class _Mention:
    """A place in a text that says one of the `values` of a slot."""

    slot: str
    values: frozenset[str]
    start: int
    end: int

    def inside(self, other: "_Mention") -> bool:
        return (
            other.start <= self.start
            and self.end <= other.end
            and other.end - other.start > self.end - self.start
        )


def parse(text: str) -> dict[str, str]:
    """Return the facts of a meaning representation, slot to value; {} where the text is none.

    Raises DataError when a slot stands twice.

    >>> parse("name[The Eagle], customer rating[5 out of 5]")
    {'name': 'The Eagle', 'customer rating': '5 out of 5'}
    """
    facts: dict[str, str] = {}
    at = 0
    while found := _SLOT.match(text, at):
        if found[1] in facts:
            raise DataError(
                f"the slot {found[1]!r} stands twice in {text!r}: give the second another name"
            )
        facts[found[1]] = found[2].strip()
        at = found.end()
    return facts if at == len(text) else {}


def values_of(items: Iterable[Facts]) -> dict[str, tuple[str, ...]]:
    """Return the values that each slot has in any of the items, sorted."""
    found: dict[str, set[str]] = {}
    for facts in items:
        for slot, value in facts.items():
            found.setdefault(slot, set()).add(value)
    return {slot: tuple(sorted(values)) for slot, values in sorted(found.items())}


def compare(facts: Facts, text: str, values: Mapping[str, Sequence[str]]) -> Errors:
    """Return what a text leaves out, gets wrong and makes up; `values` is `values_of` all items."""
    asked = {_plain(slot): _plain(value) for slot, value in facts.items()}
    spelt = {_plain(slot): slot for slot in (*values, *facts)}
    known = {
        slot: sorted({asked.get(slot, ""), *map(_plain, values.get(name, ()))} - {""})
        for slot, name in spelt.items()
    }
    said = _said(_plain(text), asked, known)
    found: dict[str, list[str]] = {"missing": [], "wrong": [], "invented": []}
    for slot, name in spelt.items():
        mentions = [one.values for one in said if one.slot == slot]
        right = any(asked.get(slot) in meant for meant in mentions)
        other = any(not {asked.get(slot), *SILENT} & meant for meant in mentions)
        if slot in asked and not right:
            found["wrong" if other else "missing"].append(name)
        elif other:
            found["invented"].append(name)
    return Errors(**{kind: tuple(names) for kind, names in found.items()}, facts=len(facts))


def errors(texts: Sequence[str], facts: Sequence[Facts]) -> list[Errors]:
    """Return what each text gets wrong; what can be made up is what any of the items has."""
    values = values_of(facts)
    return [compare(one, text, values) for text, one in zip(texts, facts, strict=True)]


def _said(text: str, asked: Facts, known: Mapping[str, Sequence[str]]) -> list[_Mention]:
    """Return the mentions of all slots, without those that lie inside longer ones."""
    found = []
    for slot, values in known.items():
        phrases = PHRASES.get(slot, ())
        spoken = {value for _, means in phrases for value in means}.intersection(values)
        if spoken:
            found += [_Mention(slot, v, *m.span()) for p, v in phrases for m in p.finditer(text)]
        for value in values:
            found += [] if value in spoken else _verbatim(text, slot, value)
    whole = [
        one
        for one in found
        if not any(one.inside(other) for other in found) and not _denied(text, one)
    ]
    right = {(one.start, one.end) for one in whole if asked.get(one.slot) in one.values}
    return [one for one in whole if asked.get(one.slot) in one.values or _at(one) not in right]


def _denied(text: str, mention: _Mention) -> bool:
    """Tell whether a text says that a value is not so; of yes and no the mention itself says it."""
    if mention.slot in _OPPOSED or not mention.values.isdisjoint(_BOOLEAN):
        return False
    return _DENIED.search(text, 0, mention.start) is not None


def _at(mention: _Mention) -> tuple[int, int]:
    return mention.start, mention.end


def _verbatim(text: str, slot: str, value: str) -> list[_Mention]:
    """Return where a text says a value in the value's own words, or yes and no in the slot's."""
    if value not in _BOOLEAN:
        return [_Mention(slot, frozenset({value}), *place) for place in _places(text, value)]
    mentions = []
    for found in _places(text, slot):
        denied = bool(_BEFORE.search(text[: found[0]]) or _AFTER.match(text, found[1]))
        mentions.append(_Mention(slot, frozenset({_BOOLEAN[denied]}), *found))
    return mentions


def _places(text: str, words: str) -> list[tuple[int, int]]:
    """Return where a text holds these words, a leading "the" or a final s more or less."""
    bare = words.removeprefix("the ")
    return [m.span() for m in _pattern(bare).finditer(text)] if bare and bare in text else []


@lru_cache(maxsize=4096)
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:the )?{re.escape(words)}s?(?!\w|[.,]\d)")


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """Return the text in lower case, without accents and apostrophes, dashes as spaces.

    A slot's name written as one word comes apart: familyFriendly, family_friendly.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    bare = "".join(c for c in unicodedata.normalize("NFKD", apart) if not unicodedata.combining(c))
    bare = re.sub(r"['\N{RIGHT SINGLE QUOTATION MARK}`]", "", bare.casefold())
    return " ".join(re.sub(r"[-_\N{EN DASH}\N{EM DASH}]", " ", bare).split())
