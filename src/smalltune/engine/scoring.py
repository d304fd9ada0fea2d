"""Scoring: log-likelihoods of texts and of label words, without logits that nobody reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.batching import by_tokens, to_tensors
from smalltune.engine.forward import hidden_at, token_log_probs
from smalltune.engine.segments import Segments

__all__ = ["label_log_probs", "log_likelihoods"]

BUDGET = 4096


def label_log_probs(
    model: Any, prompts: Segments, labels: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Return log-probabilities [n, C] of C label words after n prompts, normalised over labels.

    When each word is one token, one position is read against C rows of the head; otherwise a
    label's score is the sum over its tokens of their log-probabilities.
    """
    import torch

    if any(len(tokens) > 1 for tokens in labels):
        columns = [
            log_likelihoods(model, prompts.followed_by(labels, [c] * len(prompts)))
            for c in range(len(labels))
        ]
        scores = torch.from_numpy(np.stack(columns, axis=1))
    else:
        scores = _first_tokens(model, prompts, [tokens[0] for tokens in labels])
    return torch.log_softmax(scores, dim=-1).numpy().astype(np.float32)


def log_likelihoods(model: Any, segments: Segments) -> NDArray[np.float64]:
    """Return the log-likelihood [n] in nats of each segment's supervised tokens."""
    import torch

    found = np.zeros(len(segments))
    device = next(model.parameters()).device.type
    with torch.inference_mode():
        for batch in by_tokens(segments.lengths, BUDGET):
            ids, positions, targets = to_tensors(segments, batch, device)
            values = token_log_probs(model, ids, positions, targets).double().cpu().numpy()
            rows = (positions // ids.shape[1]).cpu().numpy()
            found[batch] = np.bincount(rows, weights=values, minlength=len(batch))
    return found


def _first_tokens(model: Any, prompts: Segments, tokens: list[int]) -> Any:
    import torch

    scores = torch.zeros(len(prompts), len(tokens))
    device = next(model.parameters()).device.type
    head = model.get_output_embeddings()
    with torch.inference_mode():
        rows = head.weight[tokens]
        bias = None if getattr(head, "bias", None) is None else head.bias[tokens]
        for batch in by_tokens(prompts.lengths, BUDGET):
            ids, _, _ = to_tensors(prompts, batch, device)
            lengths = torch.from_numpy(prompts.lengths[batch]).to(device)
            last = torch.arange(len(batch), device=device) * ids.shape[1] + lengths - 1
            states = hidden_at(model, ids, last)
            scores[batch] = torch.nn.functional.linear(states, rows, bias).float().cpu()
    return scores
