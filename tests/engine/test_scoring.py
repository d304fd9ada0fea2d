"""Scores are those of whole logits, text by text, whatever is computed once for many."""

import numpy as np
import pytest
import torch
from engine.plainly import FAMILIES, built, log_likelihood, some

from smalltune.engine.forward import hidden_at
from smalltune.engine.head import head_of, log_probs
from smalltune.engine.packing import pack
from smalltune.engine.scoring import ending_log_probs, label_log_probs, log_likelihoods
from smalltune.engine.segments import Segments
from smalltune.methods.lora import LoRA

ONE_TOKEN = [[11], [12], [13]]
SEVERAL = [[11, 5], [12], [13, 7, 2], [11, 5, 9]]


def prompts(shared=0, n=9):
    rng = np.random.default_rng(0)
    front = rng.integers(1, 4096, size=shared)
    own = [rng.integers(1, 4096, size=rng.integers(1, 40)) for _ in range(n)]
    return Segments.of([np.concatenate([front, text]) for text in own], [1] * n, [0] * n)


@pytest.mark.parametrize("shared", [0, 30], ids=["no prefix", "a prefix"])
@pytest.mark.parametrize("words", [ONE_TOKEN, SEVERAL], ids=["one token", "several"])
@pytest.mark.parametrize("name", FAMILIES)
def test_label_scores_are_those_of_whole_logits(name, words, shared):
    model, asked = built(name).eval(), prompts(shared)
    sums = [[log_likelihood(model, asked[i], word) for word in words] for i in range(len(asked))]
    expected = torch.log_softmax(torch.tensor(sums), -1).numpy()
    found = label_log_probs(model, asked, words)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["micro-llama", "micro-deepseek"])
def test_each_prompt_may_have_endings_of_its_own(name):
    model, asked = built(name).eval(), prompts(20, n=4)
    endings = [[[3]], [[4, 5, 6], [7, 8]], [[9, 1], [9, 2], [9, 1, 1]], [[5], [6]]]
    found = ending_log_probs(model, asked, endings)
    for i, each in enumerate(endings):
        expected = [log_likelihood(model, asked[i], ending) for ending in each]
        np.testing.assert_allclose(found[i], expected, rtol=1e-5)


def test_the_padded_route_gives_the_same():
    model, asked = built("micro-llama").eval(), prompts(20)
    expected = label_log_probs(model, asked, SEVERAL)
    model.model.register_forward_pre_hook(lambda *_: None)
    np.testing.assert_allclose(label_log_probs(model, asked, SEVERAL), expected, atol=1e-5)


def test_a_wrapped_head_is_asked_with_what_wraps_it():
    model, asked = built("micro-llama", tie_word_embeddings=False), prompts()
    LoRA(target=("lm_head", "q_proj")).attach(model.requires_grad_(False).eval())
    with torch.no_grad():
        model.lm_head.lora_B["smalltune"].weight.normal_(0, 0.1)
    sums = [[log_likelihood(model, asked[i], word) for word in ONE_TOKEN] for i in range(9)]
    expected = torch.log_softmax(torch.tensor(sums), -1).numpy()
    np.testing.assert_allclose(label_log_probs(model, asked, ONE_TOKEN), expected, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_log_likelihoods_are_those_of_whole_logits(name):
    model, data = built(name).eval(), some([2, 40, 1, 9, 9, 120], most=5)
    cuts = zip(data.answers.tolist(), (data[i] for i in range(6)), strict=True)
    expected = [log_likelihood(model, text[:cut], text[cut:]) for cut, text in cuts]
    found = log_likelihoods(model, data)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    packed = pack(data, range(6), "cpu")
    with torch.no_grad():
        tokens = log_probs(head_of(model), hidden_at(model, packed), packed.targets)
    assert float(tokens.sum()) == pytest.approx(sum(expected), rel=1e-5)


def test_scores_do_not_depend_on_what_else_is_in_the_batch(tiny):
    data = some([int(n) for n in np.random.default_rng(1).integers(4, 40, size=40)])
    together = log_likelihoods(tiny, data)
    alone = np.concatenate([log_likelihoods(tiny, data.take(np.array([i]))) for i in range(40)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


def test_no_prompts_have_no_scores(tiny):
    none = Segments.of([], [], [])
    assert label_log_probs(tiny, none, ONE_TOKEN).shape == (0, 3)
    assert label_log_probs(tiny, none, SEVERAL).shape == (0, 4)
    assert log_likelihoods(tiny, none).shape == (0,)
