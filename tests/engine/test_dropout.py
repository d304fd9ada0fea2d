"""Dropout is drawn per item: the same mask alone, packed, padded, cut up or computed again."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.engine.dropout import Dropout, dropout_per_item, no_other_dropout
from smalltune.engine.forward import answer_loss
from smalltune.engine.fronts import front_of
from smalltune.engine.packing import pack
from smalltune.engine.segments import Segments

PLACE = "layers.0.lora_dropout"


def some(n=12, longest=30, seed=0):
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(1, 200, size=rng.integers(4, longest)) for _ in range(n)]
    return Segments.of(sequences, [int(rng.integers(1, 4)) for _ in sequences], [0] * n)


def rows(masks, step, packed, states, place=PLACE, probability=0.25):
    masks(step, packed)
    return masks.drop(place, probability, states)


def packed_masks(data, batch, width, *, seed=1, step=0, place=PLACE):
    """Return the mask of each item of a batch, by item."""
    packed = pack(data, batch, "cpu")
    found = rows(Dropout(seed), step, packed, torch.ones(len(packed.ids), width), place)
    return dict(zip(packed.items, found.split(packed.lengths), strict=True))


@pytest.mark.parametrize("width", [1, 7, 32])
def test_an_item_has_its_mask_whatever_is_in_the_batch(width):
    data = some()
    together = packed_masks(data, range(12), width)
    for batch in ([5], [3, 5, 11], [11, 5]):
        for item, mask in packed_masks(data, batch, width).items():
            assert torch.equal(mask, together[item])


def test_padded_rows_and_read_positions_have_the_masks_of_their_tokens():
    data = some()
    packed = pack(data, range(12), "cpu")
    masks = Dropout(1)
    flat = rows(masks, 0, packed, torch.ones(1, len(packed.ids), 16))[0]
    read = masks.drop(PLACE, 0.25, torch.ones(1, len(packed.read), 16))[0]
    assert torch.equal(read, flat[packed.read])
    width = max(packed.lengths)
    padded = masks.drop(PLACE, 0.25, torch.ones(12, width, 16))
    for row, expected in zip(padded, flat.split(packed.lengths), strict=True):
        assert torch.equal(row[: len(expected)], expected)


def test_seed_step_module_item_and_position_each_change_the_mask():
    data = Segments.of([[5] * 20, [5] * 20], [1, 1], [0, 0])
    first = packed_masks(data, [0, 1], 64)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0][0], first[0][1])
    for other in ({"seed": 2}, {"step": 1}, {"place": "layers.1.lora_dropout"}):
        assert not torch.equal(first[0], packed_masks(data, [0, 1], 64, **other)[0])


@pytest.mark.parametrize("probability", [0.05, 0.3, 0.5])
def test_the_share_that_is_dropped_is_the_one_asked_for_and_the_mean_stays(probability):
    data = Segments.of([[1] * 257] * 8, [1] * 8, [0] * 8)
    packed = pack(data, range(8), "cpu")
    found = rows(Dropout(3), 0, packed, torch.ones(2048, 128), probability=probability)
    error = (probability * (1 - probability) / found.numel()) ** 0.5
    assert abs(float((found == 0).float().mean()) - probability) < 5 * error
    assert float(found.mean()) == pytest.approx(1.0, abs=5 * error / (1 - probability))
    assert len(found.unique()) == 2


def test_masks_are_uncorrelated_between_neighbours_and_modules():
    data = Segments.of([[1] * 1025] * 2, [1, 1], [0, 0])
    packed = pack(data, [0, 1], "cpu")
    masks = Dropout(0)
    draws = [rows(masks, 0, packed, torch.ones(2048, 64), f"m{i}", 0.5) - 1 for i in range(2)]
    one, other = draws
    limit = 5 / one.numel() ** 0.5
    for a, b in (
        (one, other),
        (one[1:], one[:-1]),
        (one[:, 1:], one[:, :-1]),
        (one[:, ::2], one[:, 1::2]),
        (one[:1024], one[1024:]),
    ):
        assert abs(float((a * b).mean())) < limit * (one.numel() / a.numel()) ** 0.5


def test_everything_can_be_dropped():
    packed = pack(some(), [0], "cpu")
    found = rows(Dropout(0), 0, packed, torch.ones(len(packed.ids), 4), probability=1.0)
    assert not found.any()


def test_states_whose_rows_belong_to_nobody_are_an_error():
    packed = pack(some(), [0, 1], "cpu")
    with pytest.raises(EngineError, match=r"cannot tell whose each row is: set the model's or"):
        rows(Dropout(0), 0, packed, torch.ones(3, 999, 4))


def test_layers_are_put_back_and_drop_nothing_in_evaluation(tiny):
    load("smalltune.methods", "lora")(dropout=0.5).attach(tiny)
    layers = [m for m in tiny.modules() if isinstance(m, nn.Dropout)]
    states = torch.ones(1, 5, 8)
    packed = pack(some(), [0], "cpu")
    with dropout_per_item(tiny, 0) as masks:
        masks(0, packed)
        tiny.eval()
        assert torch.equal(layers[0](states), states)
    assert layers
    assert all("forward" not in vars(layer) for layer in layers)
    tiny.train()
    assert not torch.equal(layers[0](torch.ones(1000)), torch.ones(1000))


def test_dropping_whole_channels_is_refused(tiny):
    tiny.model.odd = nn.Dropout1d(0.2)
    with pytest.raises(EngineError, match=r"model\.odd is a Dropout1d, which drops whole channels"):
        dropout_per_item(tiny, 0).__enter__()


def test_a_forward_that_drops_by_itself_is_refused(tiny):
    def forward(states):
        return nn.functional.dropout(states, 0.2, training=True)

    tiny.model.layers[0].mlp.forward = forward
    tiny.config.resid_dropout = 0.2
    tiny.train()
    packed = pack(some(), [0], "cpu")
    refused = pytest.raises(EngineError, match=r"resid_dropout is 0.2 in the model's config.json")
    with refused, no_other_dropout(tiny):
        answer_loss(tiny, packed)


# Whole models


def gradients(model, data, batches, *, route=None, total):
    """Return loss and gradients summed over batches, each a part of one step."""
    model.zero_grad()
    loss = torch.zeros(())
    with dropout_per_item(model, seed=7) as masks:
        for batch in batches:
            packed = pack(data, batch, "cpu")
            masks(3, packed)
            part = answer_loss(model, packed, total=total, route=route)
            part.backward()
            loss += part.detach()
    return loss, {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def assert_alike(one, other):
    torch.testing.assert_close(one[0], other[0], rtol=1e-6, atol=0)
    size = max(float(g.abs().max()) for g in one[1].values())
    for name, gradient in one[1].items():
        torch.testing.assert_close(other[1][name], gradient, rtol=1e-5, atol=1e-6 * size)


@pytest.fixture
def dropping(tiny):
    """The tiny model with LoRA, whose update is not zero, and dropout before it."""
    torch.manual_seed(0)
    load("smalltune.methods", "lora")(dropout=0.3).attach(tiny)
    with torch.no_grad():
        for name, parameter in tiny.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    return tiny.train()


@pytest.mark.parametrize(
    "cut", [[[i] for i in range(12)], [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10, 11]]]
)
def test_gradients_do_not_depend_on_where_a_batch_is_cut(dropping, cut):
    data = some()
    whole = gradients(dropping, data, [range(12)], total=100)
    assert_alike(whole, gradients(dropping, data, cut, total=100))


@pytest.mark.parametrize("route", ["packed", "padded"])
def test_every_route_drops_the_same(dropping, route):
    data = some()
    lean = gradients(dropping, data, [range(12)], route="lean", total=100)
    assert_alike(lean, gradients(dropping, data, [range(12)], route=route, total=100))


def test_layers_that_are_computed_again_drop_the_same(dropping):
    data = some()
    plain = gradients(dropping, data, [range(12)], total=100)
    for layer in dropping.model.layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
    assert_alike(plain, gradients(dropping, data, [range(12)], total=100))


@pytest.fixture
def gpt2():
    """A tiny GPT-2, which drops attention probabilities, and states on two paths."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=2, n_embd=32, n_head=4, vocab_size=256, n_positions=64, attn_pdrop=0.3,
        resid_pdrop=0.2, embd_pdrop=0.1, bos_token_id=0, eos_token_id=0, use_cache=False,
    )  # fmt: skip
    return GPT2LMHeadModel(config).train()


def test_attention_probabilities_are_dropped_per_item(gpt2):
    data = some()
    whole = gradients(gpt2, data, [range(12)], total=100)
    assert_alike(whole, gradients(gpt2, data, [[i] for i in range(12)], total=100))
    assert gpt2.config._attn_implementation == "sdpa"


def test_attention_that_drops_nothing_is_plain_attention(gpt2, tiny):
    data = some()
    for model in (gpt2, tiny):
        model.config.attn_pdrop = 0.3
        model.eval()
        expected = answer_loss(model, pack(data, range(12), "cpu"), route="padded")
        with dropout_per_item(model, 0):
            found = answer_loss(model, pack(data, range(12), "cpu"), route="padded")
        torch.testing.assert_close(found, expected)


def test_attention_dropout_of_a_model_with_attention_of_its_own_is_refused(gpt2, monkeypatch):
    monkeypatch.setattr(type(gpt2), "_supports_attention_backend", False)
    with pytest.raises(EngineError, match=r"attn_pdrop is above 0 in the model's config.json"):
        dropout_per_item(gpt2, 0).__enter__()


def fronted(gpt2, tokens):
    """Return GPT-2 with so many virtual tokens that learn."""
    load("smalltune.methods", "prompt_tuning")(tokens=tokens).attach(gpt2.requires_grad_(False))
    return gpt2


@pytest.mark.parametrize("size", ["another", "that of the tokens", "that of what is read"])
def test_a_front_is_computed_without_dropout_whatever_its_size(gpt2, size):
    data = some(n=4, longest=10)
    packed = pack(data, range(4), "cpu")
    sizes = {"that of the tokens": len(packed.ids), "that of what is read": len(packed.read)}
    model = fronted(gpt2, sizes.get(size, 20))
    front = front_of(model)
    assert size != "another" or 20 not in sizes.values()
    with dropout_per_item(model, 3) as masks:
        masks(0, packed)
        dropped = front.states(model)
    expected = front.states(model.eval())
    for found, kept in zip(dropped, expected, strict=True):
        for one, other in zip(found, kept, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert all(each.requires_grad for pair in dropped[1:] for each in pair)


@pytest.mark.parametrize("tokens", [1, 20, 33])
def test_behind_a_front_dropout_is_drawn_per_item_too(gpt2, tokens):
    data = some()
    model = fronted(gpt2, tokens)
    whole = gradients(model, data, [range(12)], total=100)
    assert_alike(whole, gradients(model, data, [[i] for i in range(12)], total=100))
    still = gradients(model.eval(), data, [range(12)], total=100)
    assert not torch.isclose(whole[0], still[0], rtol=1e-6)
    assert all(module.training for module in model.train().modules())
