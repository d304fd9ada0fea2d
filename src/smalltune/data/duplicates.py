"""Duplicates: rows that repeat one another, word for word or nearly, within splits and across.

Two rows are exact duplicates when they hold the same words in the same order, whatever their
case and punctuation. They are near when their sets of word pairs (two neighbouring words; of a
single word, the word) have a Jaccard similarity of `THRESHOLD` or more and they are not exact.

Candidates come from MinHash signatures (Broder, 1997) cut into bands (Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, chapter 3): two rows that are near share a band with a
probability above 1 - 1e-7. Every candidate is verified on the sets themselves, so that no chance
adds a duplicate. In a crowded band, as of rows made from one form, only the last `LOOK` candidates
are compared, so that time does not grow with its square: near rows can be missed there. The seed
is fixed: the same rows give the same counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.data.splits import Row, chunks

__all__ = ["METHOD", "THRESHOLD", "duplicates"]

LOOK = 20  # earlier rows of one band that a row is held against
METHOD = (
    "Jaccard similarity of the sets of word pairs, candidates by MinHash "
    f"(the last {LOOK} of a band), each verified"
)
THRESHOLD = 0.8
BANDS, WIDTH, SEED = 32, 4, 11
LONGEST = 5_000  # words of a row that are looked at
CHUNK = 5_000

Codes = NDArray[np.int64]
Hashes = NDArray[np.uint64]


def duplicates(splits: Mapping[str, Sequence[Row]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the duplicates within each split and across each two, each exact and near.

    Within: the rows that repeat an earlier row of their split. Across `train-test`: the rows of
    test that repeat a row of train. A row that has an exact and a near twin counts as exact.
    """
    known: dict[str, int] = {}
    codes = {
        name: np.array([known.setdefault(row.key, len(known)) for row in rows], dtype=np.int64)
        for name, rows in splits.items()
    }
    sketches = _Sketches(known)
    within = {}
    for name, held in codes.items():
        unique = held[np.sort(np.unique(held, return_index=True)[1])]
        near = sketches.repeated(unique)
        within[name] = {"exact": len(held) - len(unique), "near": len(near)}
    across = {}
    for one, other in combinations(codes, 2):
        exact = np.isin(codes[other], codes[one])
        rest = codes[other][~exact]
        near = sketches.repeated(np.unique(codes[one]), np.unique(rest))
        across[f"{one}-{other}"] = {
            "exact": int(exact.sum()),
            "near": int(np.isin(rest, list(near)).sum()),
        }
    return within, across


class _Sketches:
    """The sets of word pairs of distinct texts, by code, and one hash for each band."""

    def __init__(self, keys: Iterable[str]):
        import rensa

        words = _Numbers()
        pairs = [np.zeros(0, dtype=np.uint64)]
        bands = [np.zeros((0, BANDS), dtype=np.uint64)]
        lengths = [0]
        for few in chunks(keys, CHUNK):
            hashes, each = _pairs(few, words)
            signatures = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
                hashes, np.cumsum([0, *each]), BANDS * WIDTH, SEED
            )
            pairs.append(hashes)
            bands.append(_bands(np.array(signatures.to_rows(), dtype=np.uint64)))
            lengths += each
        self._flat, self._bands = np.concatenate(pairs), np.concatenate(bands)
        self._ends = np.cumsum(lengths)
        self._set = lru_cache(maxsize=10_000)(self._read)

    def repeated(self, codes: Codes, asked: Codes | None = None) -> set[int]:
        """Return those of the texts `asked` that are near one of `codes`.

        Without `asked`, return the texts of `codes` that are near one before them.
        """
        both = codes if asked is None else np.concatenate([codes, asked])
        begin = 0 if asked is None else len(codes)
        found: set[int] = set()
        for band in range(BANDS):
            for members in _groups(self._bands[both, band]):
                answering: list[int] = []
                for place in members:
                    code = int(both[place])
                    if place >= begin and code not in found and self._near(code, answering):
                        found.add(code)
                    if place < len(codes):
                        answering.append(code)
        return found

    def _near(self, code: int, others: Sequence[int]) -> bool:
        mine = self._set(code)
        for other in others[-LOOK:]:
            theirs = self._set(other)
            common = len(mine & theirs)
            if common >= THRESHOLD * (len(mine) + len(theirs) - common):
                return True
        return False

    def _read(self, code: int) -> frozenset[int]:
        return frozenset(self._flat[self._ends[code] : self._ends[code + 1]].tolist())


class _Numbers(dict[str, int]):
    """Words to numbers, 1 and up in the order in which they are first asked for."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self) + 1
        return number


def _pairs(keys: Sequence[str], words: _Numbers) -> tuple[Hashes, list[int]]:
    """Return the pairs of neighbouring words of all texts, and how many there are of each text.

    A pair is a 64-bit hash, and two pairs never have the same one. A lone word is paired with 0.
    """
    numbers: list[int] = []
    lengths: list[int] = []
    for key in keys:
        before = len(numbers)
        numbers += map(words.__getitem__, key.split()[:LONGEST])
        if len(numbers) == before + 1:
            numbers.append(0)
        lengths.append(len(numbers) - before - 1)
    flat = np.array(numbers, dtype=np.uint64)
    pairs = (flat[:-1] << np.uint64(32)) | flat[1:]
    across = np.cumsum(np.array(lengths) + 1)[:-1] - 1
    return _mixed(np.delete(pairs, across)), lengths


def _mixed(values: Hashes) -> Hashes:
    """Return a bijection of 64-bit numbers that spreads them (splitmix64; Steele et al., 2014)."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _bands(signatures: Hashes) -> Hashes:
    """Return one hash [rows, BANDS] for each `WIDTH` values of the signatures."""
    parts = signatures.reshape(len(signatures), BANDS, WIDTH)
    joined = np.zeros(parts.shape[:2], dtype=np.uint64)
    for column in range(WIDTH):
        joined = _mixed(joined ^ parts[:, :, column])
    return joined


def _groups(values: Hashes) -> Iterator[list[int]]:
    """Yield the places, ascending, of each value that occurs more than once."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=values[order][:1] ^ np.uint64(1)))
    lengths = np.diff(starts, append=len(order))
    for start, length in zip(starts[lengths > 1], lengths[lengths > 1], strict=True):
        yield order[start : start + length].tolist()
