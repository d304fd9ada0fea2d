"""The engine's shortcuts give the numbers of the plain way."""

import numpy as np
import pytest
import torch

from smalltune.engine.batching import to_tensors
from smalltune.engine.forward import answer_loss
from smalltune.engine.scoring import label_log_probs, log_likelihoods
from smalltune.engine.segments import Segments


def some(n=24, seed=0):
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(1, 4096, size=rng.integers(4, 40)) for _ in range(n)]
    answers = [int(rng.integers(1, len(s))) for s in sequences]
    return Segments.of(sequences, answers, [0] * n)


def plain_loss(model, data, batch):
    """Transformers' own way: right padding, attention mask, labels of -100, all logits."""
    width = max(len(data[i]) for i in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, i in enumerate(batch):
        sequence = torch.from_numpy(data[i].astype(np.int64))
        ids[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
        labels[row, data.answers[i] : len(sequence)] = sequence[data.answers[i] :]
    return model(input_ids=ids, attention_mask=mask, labels=labels).loss


def test_loss_and_gradients_equal_those_of_transformers(tiny):
    tiny.requires_grad_(True)
    data, batch = some(), list(range(16))
    expected = plain_loss(tiny, data, batch)
    expected.backward()
    gradients = {name: p.grad.clone() for name, p in tiny.named_parameters()}
    tiny.zero_grad()
    found = answer_loss(tiny, *to_tensors(data, batch, "cpu"))
    found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    for name, parameter in tiny.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("words", [[[11], [12], [13]], [[11, 5], [12], [13, 7, 2]]])
def test_label_scores_equal_whole_logits_one_text_at_a_time(tiny, words):
    prompts = Segments.of([some()[i] for i in range(10)], [1] * 10, [0] * 10)
    expected = []
    with torch.inference_mode():
        for i in range(10):
            totals = []
            for word in words:
                ids = torch.tensor([[*prompts[i].tolist(), *word]])
                logs = torch.log_softmax(tiny(input_ids=ids).logits[0], -1)
                first = len(prompts[i]) - 1
                totals.append(sum(logs[first + j, t] for j, t in enumerate(word)))
            expected.append(torch.log_softmax(torch.stack(totals), 0))
    found = label_log_probs(tiny, prompts, words)
    np.testing.assert_allclose(found, torch.stack(expected).numpy(), atol=1e-5)


def test_scores_do_not_depend_on_what_else_is_in_the_batch(tiny):
    data = some(40)
    together = log_likelihoods(tiny, data)
    alone = np.concatenate([log_likelihoods(tiny, data.take(np.array([i]))) for i in range(40)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)
