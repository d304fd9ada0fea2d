"""Beam search: which continuations of a batch of prompts go on, and which are kept as ended.

The rules are those of Transformers' `generate` with `early_stopping=False`, so that a published
setting gives the same text. A continuation that ends counts if it is among the best `beams` of
all; the best `beams` that do not end go on. The score of an ended text is its log-probability
over its length, end token included, to the power of `length_penalty`. A prompt is done once its
best running beam, scored at its present length, is below the worst of `beams` ended texts.
"""

from typing import Any

from smalltune.engine.choosing import Wanted

__all__ = ["Beams"]


class Beams:
    """The running and the ended hypotheses of `n` prompts, `beams` of each per prompt.

    Log-probabilities are summed in float64. `limits` [n] int64 are the most tokens that each
    prompt may get; `ends` [e] int64 are the end tokens.
    """

    def __init__(self, beams: int, length_penalty: float, limits: Any, ends: Any):
        """Begin before the first token: one running hypothesis per prompt, none ended."""
        import torch

        self.beams, self.length_penalty, self.ends = beams, length_penalty, ends
        self.wanted = Wanted(beams, ends if len(ends) else None)
        self.step = 0
        n, longest = len(limits), int(limits.max())
        device = limits.device
        self.limits = limits
        self.open = torch.ones(n, dtype=torch.bool, device=device)
        self.log_probs = torch.zeros(n, 1, dtype=torch.float64, device=device)
        self.tokens = torch.zeros(n, 1, longest, dtype=torch.int64, device=device)
        shape = (n, beams)
        self.ended = _Hypotheses(
            scores=torch.full(shape, -torch.inf, dtype=torch.float64, device=device),
            log_probs=torch.zeros(shape, dtype=torch.float64, device=device),
            lengths=torch.zeros(shape, dtype=torch.int64, device=device),
            tokens=torch.zeros(*shape, longest, dtype=torch.int64, device=device),
        )

    def advance(self, values: Any, tokens: Any) -> tuple[Any, Any]:
        """Take the `wanted` next tokens [n * running, c], the first time of one row per prompt.

        `values` are their log-probabilities. Return the tokens [n, beams] that are now last in
        the running beams, and which of the beams before each one continues [n, beams].
        """
        import torch

        n, running = self.log_probs.shape
        sums = (values.view(n, running, -1) + self.log_probs[:, :, None]).flatten(1)
        tokens, each = tokens.view(n, -1), values.shape[1]
        self.step += 1
        stops = torch.isin(tokens, self.ends) | (self.step >= self.limits)[:, None]
        totals, places = sums.topk(self.beams, dim=1)
        ended = stops.gather(1, places) & self.open[:, None]
        if bool(ended.any()):
            self._end(totals, self._texts(tokens, places, each), ended)
        self.log_probs, places = sums.masked_fill(stops, -torch.inf).topk(self.beams, dim=1)
        self.tokens = self._texts(tokens, places, each)
        best = self.log_probs[:, 0] / self.step**self.length_penalty
        self.open &= best > self.ended.scores.min(dim=1).values
        return tokens.gather(1, places), places // each

    def take(self, rows: Any) -> None:
        """Keep the prompts at `rows`, in that order."""
        self.limits, self.open = self.limits[rows], self.open[rows]
        self.log_probs, self.tokens = self.log_probs[rows], self.tokens[rows]
        self.ended.take(rows)

    def best(self, row: int) -> tuple[list[int], float]:
        """Return the tokens of a prompt's best ended hypothesis and its log-probability."""
        length = int(self.ended.lengths[row, 0])
        return self.ended.tokens[row, 0, :length].tolist(), float(self.ended.log_probs[row, 0])

    def _texts(self, tokens: Any, places: Any, each: int) -> Any:
        """Return the texts [n, m, longest] of continuations, of which each beam has `each`."""
        texts = _at(self.tokens, places // each)
        texts[:, :, self.step - 1] = tokens.gather(1, places)
        return texts

    def _end(self, totals: Any, texts: Any, ended: Any) -> None:
        """Let the best `beams` continuations, where they `ended`, compete with those before."""
        import torch

        scores = totals / self.step**self.length_penalty
        new = _Hypotheses(
            scores=scores.masked_fill(~ended, -torch.inf),
            log_probs=totals,
            lengths=torch.full_like(ended, self.step, dtype=torch.int64),
            tokens=texts,
        )
        self.ended = self.ended.best_of(new)


class _Hypotheses:
    """Ended texts: `scores`, `log_probs` and `lengths` [n, beams], `tokens` [n, beams, longest]."""

    def __init__(self, scores: Any, log_probs: Any, lengths: Any, tokens: Any):
        self.scores, self.log_probs, self.lengths, self.tokens = scores, log_probs, lengths, tokens

    def best_of(self, other: "_Hypotheses") -> "_Hypotheses":
        """Return as many as these are, the best of both, best first."""
        import torch

        scores, order = torch.cat((self.scores, other.scores), dim=1).topk(self.scores.shape[1])
        return _Hypotheses(
            scores,
            torch.cat((self.log_probs, other.log_probs), dim=1).gather(1, order),
            torch.cat((self.lengths, other.lengths), dim=1).gather(1, order),
            _at(torch.cat((self.tokens, other.tokens), dim=1), order),
        )

    def take(self, rows: Any) -> None:
        """Keep the prompts at `rows`, in that order."""
        self.scores, self.log_probs = self.scores[rows], self.log_probs[rows]
        self.lengths, self.tokens = self.lengths[rows], self.tokens[rows]


def _at(texts: Any, which: Any) -> Any:
    """Return the texts [n, m, longest] of `texts` [n, k, longest] at `which` [n, m]."""
    return texts.gather(1, which[:, :, None].expand(-1, -1, texts.shape[2]))
