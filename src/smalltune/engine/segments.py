"""Segments: token sequences laid end to end, and where in each the supervision begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Segments"]

Tokens = Sequence[int] | NDArray[np.int32]


@dataclass(frozen=True)
class Segments:
    """`n` token sequences in one array.

    `ids` [tokens] int32; segment i is `ids[starts[i]:starts[i + 1]]`, `starts` [n + 1] int64.
    The tokens of segment i from position `answers[i]` on are predicted in training, the ones
    before are only read. `labels` [n] int32 says to what a segment belongs: the position of its
    label for classification, the number of its document for text.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    answers: NDArray[np.int32]
    labels: NDArray[np.int32]

    @classmethod
    def of(
        cls, sequences: Iterable[Tokens], answers: Sequence[int], labels: Sequence[int]
    ) -> "Segments":
        """Return the segments of token sequences [n], answer positions [n] and labels [n]."""
        arrays = [np.asarray(s, dtype=np.int32) for s in sequences]
        starts = np.concatenate([[0], np.cumsum([len(a) for a in arrays], dtype=np.int64)])
        flat = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
        return cls(
            flat,
            starts.astype(np.int64),
            np.asarray(answers, dtype=np.int32),
            np.asarray(labels, dtype=np.int32),
        )

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.answers)

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        """Return the tokens of one segment."""
        return self.ids[self.starts[index] : self.starts[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of tokens of each segment [n]."""
        return np.diff(self.starts)

    def take(self, indices: NDArray[np.int64]) -> "Segments":
        """Return the segments at `indices`, in that order."""
        return Segments.of(
            [self[i] for i in indices],
            self.answers[indices].tolist(),
            self.labels[indices].tolist(),
        )

    def followed_by(self, endings: Sequence[Sequence[int]], which: Sequence[int]) -> "Segments":
        """Return each segment i with the tokens `endings[which[i]]` appended as its answer."""
        lengths = self.lengths.tolist()
        whole = [np.append(self[i], endings[w]) for i, w in enumerate(which)]
        return Segments.of(whole, lengths, list(which))

    def save(self, path: Path) -> None:
        """Write the four arrays as safetensors; the same segments give the same bytes."""
        from safetensors.numpy import save_file

        arrays = ("ids", "starts", "answers", "labels")
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in arrays}, path)

    @classmethod
    def load(cls, path: Path) -> "Segments":
        """Read what `save` wrote."""
        from safetensors.numpy import load_file

        return cls(**load_file(path))
