"""Reasons: why an aim is missed, in words that are kept, with numbers that come from the records.

`reasons.md` has a section for each reason. Its heading says for which pairs and which variants it
speaks, `train:micro:* against trainer, sft`; the text names numbers in braces, which stand for the
value in the pairs that miss the aim, or its lowest and highest there. A number of another shape is
asked for with its name: `{head of 15m}`. So a text cannot go on saying what a new measurement does
not show, and an aim that is reached is not explained.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from statistics import fmean

from harness.measures import Record, best_trainer, clock_of, share_of_peak, title
from harness.shapes import sizes
from harness.timing import ratio, spread

__all__ = ["Missed", "Reason", "explained", "read_reasons"]

_HEADING = re.compile(r"## (?P<pairs>\S+) against (?P<variants>.+)")
_NUMBER = re.compile(r"\{(\w+)(?: of (\w+))?\}")


@dataclass(frozen=True)
class Missed:
    """An aim that a pair missed: the pair's name, the variant, its record, and the aim.

    `within` tells that the aim lies within the spread of the rounds; `profile` is the record of
    the profile of the same shape and method, empty where there is none.
    """

    pair: str
    variant: str
    record: Record
    aim: float
    within: bool = False
    profile: Record = field(default_factory=dict)


@dataclass(frozen=True)
class Reason:
    """Why pairs whose name fits `pairs` miss their aims against `variants`.

    A record that was measured before a number was kept has no reason that names it.
    """

    pairs: str
    variants: tuple[str, ...]
    text: str

    def speaks_of(self, missed: Missed) -> bool:
        """Tell whether this is the reason of a missed aim."""
        if not fnmatch(missed.pair, self.pairs) or missed.variant not in self.variants:
            return False
        try:
            _filled(self.text, [missed])
        except KeyError:
            return False
        return True


def read_reasons(path: Path) -> list[Reason]:
    """Return the reasons of a file; raises ValueError for a heading that names no pairs."""
    found: list[Reason] = []
    _, *parts = re.split(r"^(?=## )", path.read_text(), flags=re.MULTILINE)
    for part in parts:
        heading, _, text = part.partition("\n")
        match = _HEADING.fullmatch(heading.strip())
        if match is None:
            raise ValueError(f"{path}: {heading!r} must be `## PAIRS against VARIANT, VARIANT`")
        variants = tuple(name.strip() for name in match["variants"].split(","))
        found.append(Reason(match["pairs"], variants, " ".join(text.split())))
    return found


def explained(missed: Sequence[Missed], reasons: Sequence[Reason]) -> Iterator[str]:
    """Yield a paragraph for each reason that speaks of what was missed; name what has none."""
    left = list(missed)
    for reason in reasons:
        here = [one for one in left if reason.speaks_of(one)]
        left = [one for one in left if one not in here]
        if here:
            near = [one for one in here if one.within]
            more = f" The aim lies within the spread of the rounds of {_listed(near)}."
            yield f"- {_listed(here)}: {_filled(reason.text, here)}{more if near else ''}\n"
    if left:
        yield f"- {_listed(left)}: no reason is known yet.\n"


def _listed(missed: Sequence[Missed]) -> str:
    by_pair: dict[str, list[str]] = {}
    for one in missed:
        by_pair.setdefault(one.pair, []).append(title(one.record, one.variant))
    return "; ".join(f"`{pair}` ({' and '.join(names)})" for pair, names in by_pair.items())


def _filled(text: str, missed: Sequence[Missed]) -> str:
    def number(match: re.Match[str]) -> str:
        name, shape = match.groups()
        if shape:
            return _spoken([_OF_SHAPE[name](shape)])
        today = [one for one in missed if name in _OF_PEAK and "peaks" in one.record]
        return _spoken([_number(name, one) for one in today or missed])

    return _NUMBER.sub(number, text)


def _spoken(values: Sequence[float]) -> str:
    shown = [
        f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in (min(values), max(values))
    ]
    return shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"


def _number(name: str, missed: Missed) -> float:
    if name in _OF_SHAPE:
        return _OF_SHAPE[name](missed.record["plan"]["shape"])
    return _OF_RECORD[name](missed)


# What a shape has


def _head(name: str) -> float:
    """Return the head's part of the products of a forward that reads it everywhere, in percent."""
    shape = sizes(name)
    return 100 * shape["head"] / (shape["head"] + shape["layers"])


_OF_SHAPE: Mapping[str, Callable[[str], float]] = {
    "vocabulary": lambda name: sizes(name)["vocabulary"],
    "hidden": lambda name: sizes(name)["hidden"],
    "head": _head,
}


# What a record has


def _work(missed: Missed) -> float:
    """Return how many times the needed operations the default of a peer computes.

    An evaluation's record says it. Trainer computes layers and head for every position of the
    padded batches: 2 operations for a weight in the forward, 4 or (frozen) 2 in the backward.
    Attention itself is left out.
    """
    record = missed.record
    if "plain_flop" in record:
        return float(record["plain_flop"] / record["flop"])
    shape = sizes(record["plan"]["shape"])
    each = 6 if record["plan"]["method"] == "full" else 4
    return each * record["padded_tokens"] * (shape["head"] + shape["layers"]) / record["flop"]


def _variant(missed: Missed) -> str:
    return best_trainer(missed.record) if missed.variant == "best" else missed.variant


def _share(missed: Missed) -> float:
    """Return the share of peak of smalltune on the batches of the variant, in percent."""
    like = "_like" if _variant(missed).endswith("_like") else ""
    return 100 * share_of_peak(missed.record, f"smalltune{like}")


def _busy(missed: Missed) -> float:
    """Return the share of peak at which all that is computed is computed, in percent."""
    computing = "trainer" if "trainer" in missed.record["runs"] else missed.variant
    return 100 * _work(missed) * share_of_peak(missed.record, computing)


def _times_trainer(missed: Missed) -> float:
    record, clock = missed.record, clock_of(missed.record)
    return ratio(record["runs"]["sft"][clock], record["runs"]["trainer"][clock]).median


def _each(record: Record, variant: str) -> float:
    """Return the seconds of the clock that one run of a study takes."""
    return spread([found["wall"]["each"] for found in record["runs"][variant]]).median


def _start(missed: Missed) -> float:
    """Return the seconds of the clock for which the peer's processes start, of one run."""
    alone = spread([found["wall"] for found in missed.record["start"]]).median
    return alone * _each(missed.record, missed.variant) / _lasts(missed)


def _lasts(missed: Missed) -> float:
    """Return how long a process of the peer lasts; several may run at once."""
    rounds = missed.record["runs"][missed.variant]
    return spread([fmean(found["wall"]["measured"]) for found in rounds]).median


def _part(name: str) -> Callable[[Missed], float]:
    """Return what tells a part's share of a profiled step, in percent; KeyError without one."""

    def share(missed: Missed) -> float:
        parts = missed.profile["parts"]
        return sum(100 * part["share"] for part in parts if part["part"] == name)

    return share


_OF_PEAK = ("share", "peer", "busy", "needed")
"""Numbers over the peak: a peak of the earlier form is left out beside those of today's."""

_OF_RECORD: Mapping[str, Callable[[Missed], float]] = {
    "products": _part("matrix products"),
    "elementwise": _part("element by element"),
    "starting": _part("starting processes, planning, waiting"),
    "profiled": lambda m: m.profile["plan"]["seeds"],
    "aim": lambda missed: missed.aim,
    "padding": lambda m: 100 * (1 - m.record["tokens"] / m.record["padded_tokens"]),
    "work": _work,
    "share": _share,
    "peer": lambda m: 100 * share_of_peak(m.record, _variant(m)),
    "busy": _busy,
    "rows": lambda m: m.record["rows"],
    "beginning": lambda m: 100 * m.record["beginning_flop"] / m.record["flop"],
    "needed": lambda m: 100 * m.aim * share_of_peak(m.record, _variant(m)),
    "sft": _times_trainer,
    "run": lambda m: _each(m.record, "smalltune"),
    "peer_run": lambda m: _each(m.record, m.variant),
    "start": _start,
    "start_cpu": lambda m: spread([found["cpu"] for found in m.record["start"]]).median,
    "once": lambda m: spread([f["wall"]["once"] for f in m.record["runs"]["smalltune"]]).median,
    "needed_run": lambda m: _each(m.record, m.variant) / m.aim,
}
