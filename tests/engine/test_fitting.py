"""Evaluation goes on with less at a time when memory does not suffice, to the same answers."""

import numpy as np
import pytest
import torch
from engine.test_memory import ERRORS, some

from smalltune.core.errors import EngineError
from smalltune.engine import routes
from smalltune.engine.caches import LibraryCache
from smalltune.engine.decoding import LeanCache
from smalltune.engine.fitting import in_batches, telling
from smalltune.engine.generation import Decoding, generate
from smalltune.engine.prefixes import Prefix
from smalltune.engine.scoring import ending_log_probs, label_log_probs, log_likelihoods

WAYS = {
    "labels of one token": lambda model, data: label_log_probs(model, data, [[5], [9]]),
    "labels of more tokens": lambda model, data: label_log_probs(model, data, [[5, 6], [9]]),
    "endings": lambda model, data: np.stack(
        ending_log_probs(model, data, [[[5, 7], [9]]] * len(data))
    ),
    "texts": log_likelihoods,
}


def scarce(monkeypatch, tokens, error=ERRORS[0]):
    """Let a batch of more than `tokens` run out of memory when its states are there."""
    whole, calls = Prefix.hidden_at, []

    def hidden_at(self, packed):
        calls.append(len(packed.lengths) * max(packed.lengths))
        states = whole(self, packed)
        if calls[-1] > tokens:
            raise error
        return states

    monkeypatch.setattr(Prefix, "hidden_at", hidden_at)
    return calls


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_scores_are_the_same_when_memory_runs_out(tiny, monkeypatch, way, error):
    data = some(40)
    expected = WAYS[way](tiny, data)
    calls, said = scarce(monkeypatch, 150, error), []
    with telling(said.append):
        found = WAYS[way](tiny, data)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert max(calls) > 150
    tokens = [int(text.split()[5]) for text in said]
    assert said == [f"out of memory: at most {n} tokens at a time from here on" for n in tokens]
    assert tokens == [1024, 512, 256, 128]


def test_the_padded_route_goes_on_too(tiny, monkeypatch):
    data, words = some(40), [[5, 6], [9]]
    tiny.model.register_forward_pre_hook(lambda *_: None)
    assert routes.route_of(tiny) == "padded"
    expected = label_log_probs(tiny, data, words)
    scarce(monkeypatch, 150)
    np.testing.assert_allclose(label_log_probs(tiny, data, words), expected, rtol=1e-5, atol=1e-5)


def test_what_was_found_is_kept_from_one_call_to_the_next_and_no_longer(tiny, monkeypatch):
    data = some(40)
    calls, said = scarce(monkeypatch, 150), []
    with telling(said.append):
        log_likelihoods(tiny, data)
        calls.clear(), said.clear()
        log_likelihoods(tiny, data)
        assert max(calls) <= 128
        assert said == []
    log_likelihoods(tiny, data)
    assert max(calls) > 150


@pytest.mark.parametrize("cache", [LeanCache, LibraryCache])
@pytest.mark.parametrize("method", ["begin", "step"])
@pytest.mark.parametrize("beams", [1, 3])
def test_texts_are_the_same_when_memory_runs_out(tiny, monkeypatch, cache, method, beams):
    if cache is LibraryCache:
        monkeypatch.setattr("smalltune.engine.generation.decodes_lean", lambda model: False)
    data, decoding = some(24, seed=3), Decoding(longest=6, beams=beams)
    expected = generate(tiny, data, decoding, ends=[3])
    whole, sizes = getattr(cache, method), []

    def short(self, first, *rest):
        sizes.append(len(first))
        found = whole(self, first, *rest)
        if len(first) > 4:
            raise ERRORS[0]
        return found

    monkeypatch.setattr(cache, method, short)
    said = []
    with telling(said.append):
        found = generate(tiny, data, decoding, ends=[3])
    assert [each.tokens for each in found] == [each.tokens for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)
    assert max(sizes) > 4 > 0 < len(said)


def test_one_text_that_does_not_fit_ends_in_one_message(tiny, monkeypatch):
    scarce(monkeypatch, 20)
    with pytest.raises(EngineError, match=r"does not suffice for one text of \d+ tokens"):
        log_likelihoods(tiny, some())


def test_another_error_is_not_taken_for_a_lack_of_memory(tiny, monkeypatch):
    scarce(monkeypatch, 20, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        log_likelihoods(tiny, some())


@pytest.mark.parametrize("most", [1, 2, 3, 7, 20, 1000])
def test_every_item_is_done_once_whatever_fits(most):
    sizes = np.array([5, 1, 1, 3, 2, 8, 1, 1, 2, 1])
    done = []

    def compute(batch):
        if len(batch) > 1 and len(batch) * sizes[batch].max() > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        done.extend(batch.tolist())

    in_batches(sizes, 64, compute)
    assert sorted(done) == list(range(10))
