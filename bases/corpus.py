"""Make the bases' corpus: `python bases/corpus.py`, minutes on one core and under 2 GB.

Reads the articles and novels of ../shared/corpora, cleans them (cleaning.py), drops what repeats
and what evaluation data also hold (overlap.py), holds documents out, and writes shards of JSON
lines to bases/.corpus/ and what it did to bases/corpus.json. The same input gives the same bytes.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cleaning import article, novel
from overlap import Hashes, Known, Seen, grams, words

from smalltune.data.tables import read_table, stream_lines

HERE = Path(__file__).parent
SHARED = HERE.parent / ".." / "shared"
REVIEWS = HERE.parent / "src" / "smalltune" / "embedded" / "reviews"
REPEATED = 0.8
LONG_ENOUGH = 20
MARGIN = 40
TOO_MUCH = 0.25
FEWEST_WORDS = 50
HELD_OUT_CHARACTERS = 20_000
SHARD = 16_000_000


@dataclass(frozen=True)
class Source:
    """A file of documents, how they are cleaned, and the share held out for dev and for test."""

    name: str
    path: Path
    clean: Callable[[str], list[str]]
    held_out: float


@dataclass
class Made:
    """The corpus as it grows: documents by split, and what was counted on the way."""

    known: Known
    seen: Seen = field(default_factory=Seen)
    whole: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    overlaps: dict[str, Counter[str]] = field(default_factory=dict)
    splits: dict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: {"train": [], "dev": [], "test": []}
    )

    def add(self, source: Source, name: str, text: str) -> None:
        """Clean one document, drop what repeats or overlaps, and put the rest into its split."""
        self._count(f"{source.name}: documents read", 1, text)
        paragraphs = source.clean(text)
        self._count(f"{source.name}: after cleaning", bool(paragraphs), "\n".join(paragraphs))
        numbers = [self.known.hashes.of(words(p)) for p in paragraphs]
        fresh = self._fresh(paragraphs, numbers)
        before = sum(map(len, numbers))
        if before and sum(len(numbers[i]) for i in fresh) < (1 - REPEATED) * before + 1:
            self._count("repeated documents", 1, "")
            return
        paragraphs, numbers = [paragraphs[i] for i in fresh], [numbers[i] for i in fresh]
        kept = self._untouched(numbers)
        if kept is None:
            return
        if sum(len(numbers[i]) for i in kept) < FEWEST_WORDS:
            self._count("documents of too few words", 1, "")
            return
        whole = "\n".join(paragraphs[i] for i in kept)
        split = place(name, source.held_out)
        if split != "train":
            whole = whole[:HELD_OUT_CHARACTERS].rpartition("\n")[0] or whole[:HELD_OUT_CHARACTERS]
        self._count(f"{source.name}: {split}", 1, whole)
        self.splits[split].append((name, whole))

    def _fresh(self, paragraphs: list[str], numbers: list[Any]) -> list[int]:
        """Return which paragraphs do not repeat, nearly or exactly, what went by before."""
        fresh = []
        for i, (text, sequence) in enumerate(zip(paragraphs, numbers, strict=True)):
            if len(sequence) < LONG_ENOUGH:
                fresh.append(i)
                continue
            runs, whole = grams(sequence), hash(sequence.tobytes())
            exact, near = whole in self.whole, self.seen.share(runs) >= REPEATED
            self.whole.add(whole)
            self.seen.add(runs)
            if exact or near:
                self._count(f"{'exactly' if exact else 'nearly'} repeated paragraphs", 1, text)
            else:
                fresh.append(i)
        return fresh

    def _untouched(self, numbers: list[Any]) -> list[int] | None:
        """Return which paragraphs are clear of evaluation data; None drops the document."""
        if not numbers:
            return []
        hits = self.known.hits(np.concatenate(numbers))
        if not hits:
            return list(range(len(numbers)))
        touched = np.zeros(sum(map(len, numbers)), dtype=bool)
        for mask in hits.values():
            touched |= mask
        edges = np.cumsum([0, *map(len, numbers)])
        wide = widened(touched, MARGIN)
        clear = [i for i in range(len(numbers)) if not wide[edges[i] : edges[i + 1]].any()]
        lost = 1 - sum(len(numbers[i]) for i in clear) / len(touched)
        dropped = lost > TOO_MUCH
        for name, mask in hits.items():
            counter = self.overlaps.setdefault(name, Counter())
            counter["documents touched"] += 1
            counter["documents removed"] += dropped
            counter["spans removed"] += int(np.diff(mask, prepend=False).sum() + mask[-1]) // 2
            counter["words in spans"] += int(mask.sum())
        self.counts["overlapping: documents removed"] += dropped
        self.counts["overlapping: documents shortened"] += not dropped
        removed = len(touched) if dropped else round(lost * len(touched))
        self.counts["overlapping: words removed"] += removed
        return None if dropped else clear

    def _count(self, what: str, n: int, text: str) -> None:
        self.counts[what] += int(n)
        if text:
            self.counts[f"{what} (characters)"] += len(text)


def widened(mask: Any, margin: int) -> Any:
    """Return a mask [n] whose true runs reach `margin` words further on both sides."""
    padded = np.concatenate([[0], np.cumsum(mask)])
    low = np.maximum(np.arange(len(mask)) - margin, 0)
    high = np.minimum(np.arange(len(mask)) + margin + 1, len(mask))
    return padded[high] > padded[low]


def place(name: str, share: float) -> str:
    """Return the split of a document by the hash of its name: what else there is, and how the
    text is cleaned, does not matter."""
    draw = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0x100000000
    return "test" if draw < share else "dev" if draw < 2 * share else "train"


def evaluation_sets(folder: Path, reviews: Path) -> dict[str, Iterable[str]]:
    """Return the texts of every split of every data set, training splits too.

    A dev or test set of somebody's own may be carved from a training split.
    """
    sets: dict[str, Iterable[str]] = {}
    for path in [*sorted(folder.glob("*/*.parquet")), *sorted(reviews.glob("*.jsonl"))]:
        sets[f"{path.parent.name}/{path.name.partition('.')[0]}"] = _texts(path)
    return sets


def _texts(path: Path) -> Iterator[str]:
    for row in read_table(path):
        yield from (value for value in row.values() if isinstance(value, str))


def write_shards(folder: Path, split: str, documents: list[tuple[str, str]]) -> dict[str, Any]:
    """Write documents in the order of their names' hashes; return name to digest and size."""
    import zstandard

    order = sorted(documents, key=lambda d: hashlib.sha256(d[0].encode()).hexdigest())
    lines = [json.dumps({"id": n, "text": t}, ensure_ascii=False) + "\n" for n, t in order]
    shards: list[list[str]] = [[]]
    size = 0
    for line in lines:
        if size > SHARD:
            shards.append([])
            size = 0
        shards[-1].append(line)
        size += len(line)
    written = {}
    for number, shard in enumerate(shards):
        name = f"{split}-{number:05d}-of-{len(shards):05d}.jsonl.zst"
        packed = zstandard.ZstdCompressor(level=12).compress("".join(shard).encode())
        (folder / name).write_bytes(packed)
        digest = hashlib.sha256(packed).hexdigest()
        written[name] = {"sha256": digest, "bytes": len(packed), "documents": len(shard)}
    return written


def make(sources: list[Source], sets: dict[str, Iterable[str]], folder: Path) -> dict[str, Any]:
    """Make the corpus in `folder` and return the report."""
    made = Made(Known(sets, Hashes()))
    inputs = {}
    for source in sources:
        inputs[source.name] = hashlib.sha256(source.path.read_bytes()).hexdigest()
        for number, row in stream_lines(source.path):
            made.add(source, str(row.get("id", f"{source.name}-{number}")), row["text"])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jsonl.zst"):
        old.unlink()
    shards: dict[str, Any] = {}
    for split, documents in made.splits.items():
        shards |= write_shards(folder, split, documents)
    return {
        "rules": {
            "repeated": f"a paragraph of {LONG_ENOUGH} words or more is dropped when {REPEATED:.0%}"
            " of its runs of 13 words went by before; a document, when that leaves a fifth of it",
            "overlapping": f"paragraphs within {MARGIN} words of a shared run of 13 words are "
            "dropped (texts of 8 to 12 words count as a whole, shorter ones not); a document, when "
            f"more than {TOO_MUCH:.0%} of its words would go",
        },
        "inputs": inputs,
        "counts": dict(sorted(made.counts.items())),
        "overlaps": {name: dict(made.overlaps.get(name, {})) for name in sorted(made.known.names)},
        "shards": shards,
    }


def main() -> None:
    """Make the corpus of the three bases."""
    corpora = SHARED / "corpora"
    sources = [
        Source("novels", corpora / "english_novels_97.jsonl.zst", novel, 0.04),
        Source("wikipedia", corpora / "wikipedia_articles_6640.jsonl.zst", article, 0.015),
    ]
    report = make(sources, evaluation_sets(SHARED / "data", REVIEWS), HERE / ".corpus")
    (HERE / "corpus.json").write_text(json.dumps(report, indent=1) + "\n")
    json.dump(report["counts"], sys.stdout, indent=1)


if __name__ == "__main__":
    main()
