"""Scoring: log-likelihoods of texts and of answers, without work that nobody reads.

Prompts are packed shortest first under a token budget. What all of them begin with is computed
once (`engine.prefixes`), a prompt with several answers once (`engine.endings`), and the output
head runs where a token is asked for. The padded route repeats prefix and prompt each time.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.endings import Endings, fed_tokens, pack_endings
from smalltune.engine.fitting import in_batches
from smalltune.engine.head import head_of, log_probs, some_logits
from smalltune.engine.packing import pack, pack_prompts
from smalltune.engine.prefixes import prefix_of
from smalltune.engine.segments import Segments

__all__ = ["ending_log_probs", "label_log_probs", "log_likelihoods"]

BUDGET = 2048
"""Tokens per batch on a CPU, counted after padding: about what its caches hold."""

BUDGET_CUDA = 1 << 15


def label_log_probs(
    model: Any, prompts: Segments, labels: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Return log-probabilities [n, C] of C label words after n prompts, normalised over labels.

    When each word is one token, one position is read against C rows of the head; otherwise a
    label's score is the sum over its tokens of their log-probabilities.
    """
    import torch

    if all(len(tokens) == 1 for tokens in labels):
        scores = _first_tokens(model, prompts, [tokens[0] for tokens in labels])
    else:
        found = ending_log_probs(model, prompts, [labels] * len(prompts))
        scores = torch.from_numpy(np.stack(found)) if found else torch.zeros(0, len(labels))
    return torch.log_softmax(scores, dim=-1).numpy().astype(np.float32)


def ending_log_probs(model: Any, prompts: Segments, endings: Endings) -> list[NDArray[np.float64]]:
    """Return, for each prompt, the log-likelihood [C] in nats of each of its C endings."""
    import torch

    found = [np.zeros(len(each)) for each in endings]
    with torch.inference_mode():
        longest = int(fed_tokens(prompts, endings).max(initial=0))
        prefix = prefix_of(model, prompts, longest, longest=longest)
        if prefix.route == "padded":
            return _one_by_one(model, prompts, endings)
        head, device = head_of(model), _device(model)

        def score(batch: NDArray[np.int64]) -> None:
            packed, asked = pack_endings(prompts, endings, batch, device, skip=prefix.length)
            rows, targets = (torch.from_numpy(a).to(device) for a in (asked.rows, asked.targets))
            values = log_probs(head, prefix.hidden_at(packed), targets, rows).double().cpu().numpy()
            for owner, which, value in zip(asked.owners, asked.which, values, strict=True):
                found[packed.items[owner]][which] += value

        in_batches(fed_tokens(prompts, endings, prefix.length), _budget(device), score)
    return found


def log_likelihoods(model: Any, segments: Segments) -> NDArray[np.float64]:
    """Return the log-likelihood [n] in nats of each segment's supervised tokens."""
    import torch

    found = np.zeros(len(segments))
    device = _device(model)
    with torch.inference_mode():
        before = int(segments.answers.min(initial=1)) - 1
        longest = int(segments.lengths.max(initial=0))
        prefix = prefix_of(model, segments, before, longest=longest)
        head = head_of(model)

        def score(batch: NDArray[np.int64]) -> None:
            packed = pack(segments, batch, device, skip=prefix.length)
            if not packed.items:
                return
            states = prefix.hidden_at(packed)
            values = log_probs(head, states, packed.targets).double().cpu().numpy()
            owners = packed.owners.cpu().numpy()
            found[list(packed.items)] = np.bincount(owners, values)

        in_batches(segments.lengths - prefix.length, _budget(device), score)
    return found


def _first_tokens(model: Any, prompts: Segments, tokens: list[int]) -> Any:
    """Return the logits [n, C] of C tokens after n prompts."""
    import torch

    scores = torch.zeros(len(prompts), len(tokens))
    device = _device(model)
    with torch.inference_mode():
        longest = int(prompts.lengths.max(initial=0))
        prefix = prefix_of(model, prompts, longest, longest=longest)
        head = head_of(model)

        def score(batch: NDArray[np.int64]) -> None:
            packed = pack_prompts(prompts, batch, device, skip=prefix.length)
            states = prefix.hidden_at(packed)
            scores[list(packed.items)] = some_logits(head, states, tokens).cpu()

        in_batches(prompts.lengths - prefix.length, _budget(device), score)
    return scores


def _one_by_one(model: Any, prompts: Segments, endings: Endings) -> list[NDArray[np.float64]]:
    """Return the same with the prompt computed anew for each ending."""
    which = [i for i, each in enumerate(endings) for _ in each]
    flat = [ending for each in endings for ending in each]
    whole = prompts.take(np.array(which, dtype=np.int64)).followed_by(flat, range(len(flat)))
    values = log_likelihoods(model, whole)
    return np.split(values, np.cumsum([len(each) for each in endings])[:-1])


def _budget(device: str) -> int:
    return BUDGET if device == "cpu" else BUDGET_CUDA


def _device(model: Any) -> str:
    device: str = next(model.parameters()).device.type
    return device
