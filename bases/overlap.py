"""Overlap: which runs of words a text shares with evaluation data, and which it repeats.

Words are compared without case, accents and punctuation. A run of N words is one 64-bit number,
so a corpus of thirty million words is looked up in seconds. N = 13 is the length that Brown et al.
(2020, appendix C) decontaminate with; as there, a shorter text counts as a whole.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHORTEST", "Hashes", "Known", "Seen", "grams", "words"]

N = 13
SHORTEST = 8
BITS = 27
SEEN_BITS = 28
FACTOR = np.uint64(0x9E3779B97F4A7C15)
ACCENTS = re.compile("[\u0300-\u036f]")
WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the normalised words of a text; `do n't`, as tokenised data write it, is `don't`."""
    text = text.casefold().replace(" n't", "n't")
    if not text.isascii():
        text = ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return WORD.findall(text)


class Hashes(dict[str, int]):
    """A word's 64-bit number, computed when it is first asked for."""

    def __missing__(self, word: str) -> int:
        """Return the first eight bytes of the word's BLAKE2 digest."""
        number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        self[word] = number
        return number

    def of(self, sequence: list[str]) -> NDArray[np.uint64]:
        """Return the numbers [n] of words."""
        return np.fromiter(map(self.__getitem__, sequence), np.uint64, len(sequence))


def grams(numbers: NDArray[np.uint64], n: int = N) -> NDArray[np.uint64]:
    """Return one number for every run of n words: [len - n + 1], empty for shorter texts."""
    count = max(0, len(numbers) - n + 1)
    found = np.zeros(count, dtype=np.uint64)
    for i in range(n if count else 0):
        found = found * FACTOR + numbers[i : i + count]
    return (found ^ (found >> np.uint64(29))) * FACTOR


class Known:
    """The runs of words of evaluation sets, by the set's name.

    Texts of N words or more count with each run of N; texts of 8 to 12 words as a whole; shorter
    ones are too common to count.
    """

    def __init__(self, sets: dict[str, Iterable[str]], hashes: Hashes):
        """Read every text of every set once."""
        self.names, self.hashes = list(sets), hashes
        self.keys: dict[int, list[NDArray[np.uint64]]] = {n: [] for n in range(SHORTEST, N + 1)}
        self.table = np.zeros(1 << BITS, dtype=bool)
        for texts in sets.values():
            parts: dict[int, list[NDArray[np.uint64]]] = {n: [] for n in self.keys}
            for text in dict.fromkeys(texts):
                numbers = hashes.of(words(text))
                if len(numbers) >= SHORTEST:
                    n = min(N, len(numbers))
                    parts[n].append(grams(numbers, n))
            for n, arrays in parts.items():
                empty = np.zeros(0, dtype=np.uint64)
                unique = np.unique(np.concatenate(arrays)) if arrays else empty
                self.keys[n].append(unique)
                self.table[unique >> np.uint64(64 - BITS)] = True

    def hits(self, numbers: NDArray[np.uint64]) -> dict[str, NDArray[np.bool_]]:
        """Return, for each set that shares a run with a text [n], which words [n] lie in one."""
        found: dict[str, NDArray[np.bool_]] = {}
        for n, sets in self.keys.items():
            runs = grams(numbers, n)
            maybe = np.flatnonzero(self.table[runs >> np.uint64(64 - BITS)])
            for name, keys in zip(self.names, sets, strict=True):
                if not len(maybe) or not len(keys):
                    continue
                places = np.minimum(np.searchsorted(keys, runs[maybe]), len(keys) - 1)
                starts = maybe[keys[places] == runs[maybe]]
                if len(starts):
                    mask = found.setdefault(name, np.zeros(len(numbers), dtype=bool))
                    for i in range(n):
                        mask[starts + i] = True
        return found


class Seen:
    """The runs of N words that went by so far: a table of one bit's worth a run, so that a share
    is over-estimated by a few per cent, never under-estimated."""

    def __init__(self, bits: int = SEEN_BITS):
        """Start with nothing seen; the table takes 2**bits bytes."""
        self.bits = np.uint64(64 - bits)
        self.table = np.zeros(1 << bits, dtype=bool)

    def share(self, runs: NDArray[np.uint64]) -> float:
        """Return the share of the runs that went by before; 0 for a text without any."""
        return float(self.table[runs >> self.bits].mean()) if len(runs) else 0.0

    def add(self, runs: NDArray[np.uint64]) -> None:
        """Remember runs."""
        self.table[runs >> self.bits] = True
