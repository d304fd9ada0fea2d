"""Forward: hidden states once, the output head only at the positions that are read."""

from typing import Any

__all__ = ["answer_loss", "hidden_at", "token_log_probs"]


def hidden_at(model: Any, ids: Any, positions: Any) -> Any:
    """Return the last hidden states [S, d] at flat positions [S] of a batch of ids [B, T].

    No attention mask is passed: padding is on the right and the model is causal.
    """
    states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    return states.reshape(-1, states.shape[-1])[positions]


def answer_loss(model: Any, ids: Any, positions: Any, targets: Any) -> Any:
    """Return the mean cross-entropy in nats of the targets [S], over the whole vocabulary."""
    import torch

    logits = model.get_output_embeddings()(hidden_at(model, ids, positions))
    return torch.nn.functional.cross_entropy(logits.float(), targets)


def token_log_probs(model: Any, ids: Any, positions: Any, targets: Any) -> Any:
    """Return the log-probability [S] of each target token."""
    import torch

    logits = model.get_output_embeddings()(hidden_at(model, ids, positions))
    return -torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
