"""ROUGE (Lin 2004) by the package rouge-score, which follows the original ROUGE-1.5.5.

Words are runs of the letters a to z and digits in lower case; those of more than three letters are
stemmed (Porter). For ROUGE-Lsum a line is a sentence, so a text in one line is one sentence. Of
several references the one with the highest F counts.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "Rouge", "f_measures", "signature"]

VERSION = 1
_COUNTED = re.compile("[a-z0-9]")


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


class Rouge:
    """What the metrics of this family share; `name` is a kind of rouge-score.

    It stands before `TextMetric` among a metric's bases.
    """

    name: ClassVar[str]
    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @classmethod
    def items(cls, texts: Sequence[str], gold: Sequence[Any]) -> NDArray[np.float64]:
        """Return [items, 1]: F in the best reference."""
        return f_measures(cls.name, texts, [one.required() for one in gold])[:, None]

    @staticmethod
    def blind_to(references: Sequence[str]) -> str:
        """Return what to do where most letters and figures of the texts are no a to z or digit.

        Of what it does not count, F says nothing; a text without any that it counts has F 0.
        """
        letters = sum(character.isalnum() for text in references for character in text)
        counted = sum(len(_COUNTED.findall(text.lower())) for text in references)
        if not references or (counted and 2 * counted >= letters):
            return ""
        return (
            "ROUGE counts the letters a to z and digits alone: name chrf, exact_match or token_f1 "
            "under `metrics`"
        )

    @classmethod
    def signature(cls, gold: Sequence[Any]) -> str:
        """Return the package, its version and options."""
        return signature(cls.name)
