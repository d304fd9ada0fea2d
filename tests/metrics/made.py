"""Material for metrics: weighed labels, texts with references, likelihoods."""

from collections.abc import Sequence

import numpy as np

from smalltune.core.plugins import load, names
from smalltune.metrics import Gold, Likelihood

METRICS = {name: load("smalltune.metrics", name) for name in names("smalltune.metrics")}
LABELS = ["a", "b", "c"]
FACTS = (
    "name[The Eagle], food[French], area[riverside]",
    "name[Cocum], priceRange[cheap], familyFriendly[no]",
    "name[The Mill], customer rating[5 out of 5], near[Ranch]",
)
TEXTS = (
    "The Eagle by the river serves French food.",
    "Cocum is cheap, and children are not welcome.",
    "Cocum near Ranch has five stars.",
    "",
    "The Mill is a pub that families like.",
    "the",
)


def log_probs(said: Sequence[int], labels: int = 3, seed: int = 3) -> np.ndarray:
    """Return normalised log-probabilities whose most likely labels are these; NaN for -1."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(said), labels))
    scores[range(len(said)), said] = 4
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    scores[np.array(said, dtype=int) < 0] = np.nan
    return scores


def gold(references: Sequence[Sequence[str]], facts: Sequence[str] = FACTS) -> list[Gold]:
    """Return what items with these references ask for; their sources are facts in turn."""
    return [
        Gold(f"i{i}", tuple(texts), "", {"facts": facts[i % len(facts)]})
        for i, texts in enumerate(references)
    ]


def value(name: str, *judged: object) -> float:
    """Return a metric's value over all items."""
    metric = METRICS[name]
    return float(metric.combine(metric.items(*judged).mean(axis=0)))


def material(judges: str, items: int) -> tuple[object, ...]:
    """Return what metrics of a kind judge, of so many items; of none it is empty."""
    rng = np.random.default_rng(items)
    if "labels" in judges:
        return rng.integers(0, 3, items).tolist(), log_probs(rng.integers(0, 3, items)), LABELS
    if judges == "texts":
        texts = [TEXTS[i % len(TEXTS)] for i in range(items)]
        return texts, gold([[TEXTS[i % 5], "Cocum is cheap."][: 1 + i % 2] for i in range(items)])
    if judges == "likelihoods":
        sizes = rng.integers(5, 50, items).tolist()
        return ([Likelihood(-0.7 * size, 4 * size, float(size)) for size in sizes],)
    return ([bool(v) for v in rng.integers(0, 2, items)],)
