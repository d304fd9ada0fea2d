"""ROUGE (Lin 2004) by the package rouge-score, which follows the original ROUGE-1.5.5.

Words are runs of the letters a to z and digits in lower case; those of more than three letters are
stemmed (Porter). For ROUGE-Lsum a line is a sentence, so a text in one line is one sentence. Of
several references the one with the highest F counts.
"""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "f_measures", "signature"]

VERSION = 1


def f_measures(
    kind: str, texts: Sequence[str], references: Sequence[Sequence[str]]
) -> NDArray[np.float64]:
    """Return F [items] of a `kind` of rouge-score, such as "rougeL", in the best reference."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=True)
    found = [
        scorer.score_multi(list(right), text)[kind].fmeasure
        for text, right in zip(texts, references, strict=True)
    ]
    return np.array(found, dtype=np.float64)


def signature(kind: str) -> str:
    """Return what a score was made with, in the manner of sacreBLEU's signatures."""
    return f"{kind}|measure:f1|multi:best|stemmer:porter|rouge-score:{version('rouge-score')}"
