"""A base that is held in bfloat16 answers as a float32 model with the same rounded weights."""

import copy

import numpy as np
import pytest
import torch
from engine.plainly import apart, built, gradients, some
from engine.test_lean import GPT2, SMALL, other

from smalltune.core.errors import EngineError
from smalltune.engine import held
from smalltune.engine.forward import answer_loss, hidden_at
from smalltune.engine.generation import Decoding, generate
from smalltune.engine.held import hold
from smalltune.engine.packing import pack
from smalltune.engine.routes import route_of
from smalltune.engine.scoring import label_log_probs, log_likelihoods
from smalltune.methods.lora import LoRA

MODELS = ("micro-llama", "micro-qwen", "micro-qwen2", "gpt2")


def pair(name):
    """Return a frozen model that is held, and in float32 one with the same rounded weights."""
    fields = {**GPT2, "attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
    model = other(name, **fields) if name == "gpt2" else built(name)
    rounded = model.requires_grad_(False)
    model = copy.deepcopy(rounded)
    for parameter in rounded.parameters():
        parameter.data = parameter.data.to(torch.bfloat16).float()
    hold(model)
    return model.eval(), rounded.eval()


def adapted(model, name):
    """Return the model with a LoRA whose both matrices are random, always the same."""
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(3)
    target = ["c_attn", "c_fc"] if name == "gpt2" else "all-linear"
    options = LoraConfig(
        r=4, target_modules=target, fan_in_fan_out=name == "gpt2", task_type="CAUSAL_LM"
    )
    inject_adapter_in_model(options, model)
    with torch.no_grad():
        for place, parameter in model.named_parameters():
            if "lora_B" in place:
                parameter.normal_(0, 0.1)
    return model


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Widen so little at a time that every matrix is cut, the last block shorter than the rest."""
    monkeypatch.setattr(held, "BLOCK", 5000)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_take_half_the_memory_and_vectors_stay_whole(name):
    model, rounded = pair(name)
    sizes = [sum(p.nbytes for p in each.parameters()) for each in (model, rounded)]
    assert sizes[0] < 0.51 * sizes[1]
    for parameter in model.parameters():
        assert parameter.dtype == (torch.bfloat16 if parameter.dim() == 2 else torch.float32)


WAYS = [
    (name, route)
    for name in MODELS
    for route in ("lean", "packed", "padded")
    if (name, route) != ("gpt2", "lean")
]


@pytest.mark.parametrize(("name", "route"), WAYS)
def test_every_route_gives_the_states_of_the_rounded_weights_in_float32(name, route):
    model, rounded = pair(name)
    packed = pack(some([4, 50, 9, 33]), range(4), "cpu")
    with torch.no_grad():
        found, expected = (hidden_at(each, packed, route=route) for each in (model, rounded))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_lora_learns_in_float32_as_over_the_rounded_weights_by_every_route(name):
    model, rounded = (adapted(each, name) for each in pair(name))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    packed = pack(some([4, 50, 9, 33]), range(4), "cpu")
    routes = ["packed", "padded"] if name == "gpt2" else ["lean", "packed", "padded"]
    assert route_of(model) == routes[0]
    loss = answer_loss(rounded, packed, route="padded")
    slopes = gradients(rounded, loss)
    for route in routes:
        found = answer_loss(model, packed, route=route)
        torch.testing.assert_close(found, loss, rtol=1e-5, atol=0)
        assert apart(gradients(model, found), slopes) < 1e-5


def test_a_new_adapter_is_drawn_as_over_a_float32_base():
    drawn = []
    for model in pair("micro-llama"):
        torch.manual_seed(0)
        LoRA().attach(model)
        drawn.append({n: p for n, p in model.named_parameters() if p.requires_grad})
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[1])


@pytest.mark.parametrize("route", ["lean", "packed", "padded"])
def test_no_widened_matrix_waits_for_the_backward(route):
    model = adapted(pair("micro-llama")[0], "micro-llama")
    shapes = {tuple(p.shape) for p in model.parameters() if p.dtype == torch.bfloat16}
    kept = []
    packed = pack(some([9, 33]), range(2), "cpu")
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        answer_loss(model, packed, route=route).backward()
    matrices = [t for t in kept if {tuple(t.shape), tuple(t.shape)[::-1]} & shapes]
    assert matrices
    assert {t.dtype for t in matrices} == {torch.bfloat16}


@pytest.mark.parametrize("name", MODELS)
def test_scores_and_texts_are_those_of_the_rounded_weights(name):
    model, rounded = (adapted(each, name) for each in pair(name))
    data = some([14, 50, 19, 33])
    for words in ([[5], [9], [11]], [[5, 6], [9]]):
        found, expected = (label_log_probs(each, data, words) for each in (model, rounded))
        np.testing.assert_allclose(found, expected, atol=1e-4)
    found, expected = (log_likelihoods(each, data) for each in (model, rounded))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for beams in (1, 3):
        decoding = Decoding(longest=8, beams=beams)
        texts = [generate(each, data, decoding, ends=[2]) for each in (model, rounded)]
        assert [t.tokens for t in texts[0]] == [t.tokens for t in texts[1]]


@pytest.mark.parametrize("name", MODELS)
def test_where_all_products_are_in_bfloat16_nothing_is_widened(name):
    model, rounded = (adapted(each, name) for each in pair(name))
    packed = pack(some([4, 50, 9]), range(3), "cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = [answer_loss(each, packed) for each in (model, rounded)]
        label = [label_log_probs(each, some([9, 5]), [[5], [9]]) for each in (model, rounded)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=0)
    np.testing.assert_allclose(label[0], label[1], rtol=1e-6)
    slopes = [gradients(each, loss) for each, loss in zip((model, rounded), losses, strict=True)]
    assert apart(*slopes) < 1e-6


def test_a_model_most_of_which_is_not_linear_layers_is_refused():
    fields = {**SMALL, "num_local_experts": 8, "intermediate_size": 512, "vocab_size": 64}
    model = other("mixtral", **fields).requires_grad_(False)
    with pytest.raises(EngineError, match=r"cannot be held in bfloat16: set `base_dtype: float32`"):
        hold(model)


def test_a_matrix_that_another_kind_of_layer_reads_too_stays_whole():
    model = built("micro-llama", tie_word_embeddings=True).requires_grad_(False)

    class Scaled(torch.nn.Embedding):
        pass

    model.model.embed_tokens.__class__ = Scaled
    hold(model)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.lm_head.weight.dtype == torch.float32
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
