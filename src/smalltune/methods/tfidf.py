"""TF-IDF with logistic regression (scikit-learn): the linear baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import MethodError
from smalltune.methods import Classical

__all__ = ["TfIdf"]


@dataclass(frozen=True)
class TfIdf(Classical):
    """Word n-grams up to `ngrams`, sublinear TF-IDF, L2-penalised logistic regression."""

    ngrams: int = 2
    strength: float = 10.0
    min_count: int = 1

    title: ClassVar[str] = "TF-IDF"
    rationale: ClassVar[str] = (
        "Logistic regression on weighted word n-grams costs seconds and no pre-training; on easy "
        "classification it is often hard to beat, so a language model has to earn its cost here."
    )

    cite: ClassVar[tuple[str, ...]] = (
        "sparckjones1972specificity",
        "wang2012baselines",
        "pedregosa2011scikit",
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted; raises MethodError."""
        if self.ngrams < 1 or self.min_count < 1 or self.strength <= 0:
            raise MethodError("ngrams, min_count and strength must be above 0")

    def log_probs(
        self, texts: Sequence[str], labels: Sequence[int], classes: int, asked: Sequence[str]
    ) -> NDArray[np.float64]:
        """Fit on the texts, return log-probabilities of the asked ones."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        present = np.unique(labels)
        if len(present) < 2:
            raise MethodError("tfidf needs training rows of at least two labels")
        vectors = TfidfVectorizer(
            ngram_range=(1, self.ngrams), sublinear_tf=True, min_df=self.min_count
        )
        model = LogisticRegression(C=self.strength, max_iter=2000)
        model.fit(vectors.fit_transform(texts), labels)
        found = np.full((len(asked), classes), -np.inf)
        found[:, present] = model.predict_log_proba(vectors.transform(asked))
        floored: NDArray[np.float64] = np.maximum(found, -100.0)
        return floored
