"""chrF: how many runs of one to six characters a text shares with a reference, by sacreBLEU."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["Chrf"]

ORDERS = 6
BETA = 2


class Chrf(TextMetric):
    """chrF2 of all texts together (Popović 2015, 2016), as sacreBLEU has it (Post 2018).

    Its defaults: runs of one to six characters without spaces, case counts, recall weighs twice as
    much as precision. The counts of each text come from sacreBLEU, and over all items the value is
    its corpus score. Of several references the one with the best score counts for each text. It
    needs no words, so it also fits languages that join them.
    """

    name: ClassVar[str] = "chrf"
    title: ClassVar[str] = "chrF"
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 18]: for each order the runs written, those asked, and those shared."""
        from sacrebleu.metrics.chrf import CHRF

        chrf = CHRF(char_order=ORDERS, beta=BETA)
        rows = [
            chrf._extract_corpus_statistics([text], [[right] for right in one.required()])[0]
            for text, one in zip(texts, gold, strict=True)
        ]
        return np.array(rows, dtype=np.float64).reshape(-1, 3 * ORDERS)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return F of the mean precision and the mean recall over the orders that both have."""
        mean = np.asarray(stats, dtype=np.float64)
        said, wanted, shared = np.moveaxis(mean.reshape(*mean.shape[:-1], ORDERS, 3), -1, 0)
        both = (said > 0) & (wanted > 0)
        orders = np.maximum(both.sum(axis=-1), 1)
        precision, recall = (
            np.divide(shared, all_, out=np.zeros_like(shared), where=both).sum(axis=-1) / orders
            for all_ in (said, wanted)
        )
        weighed = BETA**2 * precision + recall
        score = np.zeros_like(weighed)
        np.divide((1 + BETA**2) * precision * recall, weighed, out=score, where=weighed > 0)
        value: Stats = np.where(np.isnan(mean).any(axis=-1), np.nan, score)
        return value

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return sacreBLEU's signature: references, case, orders and its version."""
        from sacrebleu.metrics.chrf import CHRF

        chrf = CHRF(char_order=ORDERS, beta=BETA)
        counts = {len(one.references) for one in gold}
        chrf.num_refs = counts.pop() if len(counts) == 1 else -1
        return str(chrf.get_signature())
