"""Linear probe: logistic regression on what a frozen base holds at the end of the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import MethodError
from smalltune.methods import Probe

__all__ = ["LinearProbe"]


@dataclass(frozen=True)
class LinearProbe(Probe):
    """Standardise the last hidden states, fit an L2-penalised logistic regression (scikit-learn).

    The head and the label words are not used, so that the probe shows what the base knows, apart
    from whether it can say it.
    """

    strength: float = 0.1

    title: ClassVar[str] = "Linear probe"
    rationale: ClassVar[str] = (
        "A linear classifier on the frozen base's last states costs one pass over the rows and "
        "shows what pre-training has put there already; fine-tuning has to add to it."
    )
    cite: ClassVar[tuple[str, ...]] = ("alain2017probes",)

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted; raises MethodError."""
        if self.strength <= 0:
            raise MethodError(f"strength must be above 0, not {self.strength:g}")

    def log_probs(
        self,
        states: NDArray[np.float32],
        labels: Sequence[int],
        classes: int,
        asked: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Fit on states [n, d], return log-probabilities [m, classes] of the asked ones [m, d]."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        present = np.unique(labels)
        if len(present) < 2:
            raise MethodError("linear_probe needs training rows of at least two labels")
        scale = StandardScaler().fit(states)
        model = LogisticRegression(C=self.strength, max_iter=2000)
        model.fit(scale.transform(states), labels)
        found = np.full((len(asked), classes), -100.0)
        found[:, present] = np.maximum(model.predict_log_proba(scale.transform(asked)), -100.0)
        return found
