"""BLEU: how many runs of one to four words a text shares with its references, by sacreBLEU."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["Bleu"]

ORDERS = 4


class Bleu(TextMetric):
    """BLEU of all texts together (Papineni et al. 2002), as sacreBLEU has it (Post 2018).

    Its defaults: tokeniser 13a, case counts, exponential smoothing. The counts of each text come
    from sacreBLEU, and over all items the value is its corpus score. Several references: runs may
    come from any, and the length nearest to the text's is the one to reach. Smoothing looks at
    the number of runs and not at shares alone, so the number of items is kept beside the counts.
    """

    name: ClassVar[str] = "bleu"
    title: ClassVar[str] = "BLEU"
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 11]: words written, asked; 4 counts of right runs, 4 of all; the items."""
        from sacrebleu.metrics.bleu import BLEU

        bleu = BLEU(effective_order=True, force=True)
        rows = []
        for text, one in zip(texts, gold, strict=True):
            found = bleu.sentence_score(text, one.required())
            rows.append([found.sys_len, found.ref_len, *found.counts, *found.totals, len(texts)])
        return np.array(rows, dtype=np.float64).reshape(-1, 3 + 2 * ORDERS)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return brevity penalty times the geometric mean of the smoothed precisions."""
        mean = np.asarray(stats, dtype=np.float64)
        sums = mean[..., :-1] * mean[..., -1:]
        said, wanted = sums[..., 0], sums[..., 1]
        right, total = np.split(sums[..., 2:], 2, axis=-1)
        halved = np.where(right > 0, 0, (right == 0).cumsum(axis=-1))
        hits = np.where(right > 0, right, 0.5**halved)
        scored = (right > 0).any(axis=-1) & (total > 0).all(axis=-1)
        logs = np.log(np.divide(hits, total, out=np.ones_like(total), where=total > 0))
        short = np.divide(wanted, said, out=np.ones_like(said), where=said > 0)
        score = np.where(scored, np.exp(np.minimum(0, 1 - short) + logs.mean(axis=-1)), 0.0)
        value: Stats = np.where(np.isnan(mean).any(axis=-1), np.nan, score)
        return value

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return sacreBLEU's signature: references, case, tokeniser, smoothing and its version."""
        from sacrebleu.metrics.bleu import BLEU

        bleu = BLEU()
        counts = {len(one.references) for one in gold}
        bleu.num_refs = counts.pop() if len(counts) == 1 else -1
        return str(bleu.get_signature())
