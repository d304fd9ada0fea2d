"""Virtual tokens before packed segments are what they are in a row of their own before each."""

import pytest
import torch
from engine.plainly import BATCHES, FAMILIES, LEAN, apart, built, gradients, some
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from smalltune.core.plugins import load
from smalltune.engine.forward import answer_loss
from smalltune.engine.fronts import front_of
from smalltune.engine.packing import pack
from smalltune.engine.routes import route_of

WAYS = [("lean", name) for name in LEAN]
WAYS += [(route, name) for route in ("packed", "padded") for name in FAMILIES]


def fronted(name, method):
    """Return a frozen model of a family with eight virtual tokens that learn."""
    model = built(name).requires_grad_(False)
    load("smalltune.methods", method)(tokens=8).attach(model)
    return model


def behind(model, ids):
    """Return the logits [T, V] of one text, fed alone behind the model's front."""
    front, ids = front_of(model), ids[None]
    if front.weight.shape[1] == model.config.hidden_size:
        texts = model.get_input_embeddings()(ids)
        given = {"inputs_embeds": torch.cat((front.weight[None], texts), dim=1)}
        return model(**given, use_cache=False).logits[0, front.length :]
    cache = DynamicCache(config=model.config)
    for layer, pair in enumerate(front.states(model)):
        cache.update(*(each.transpose(0, 1)[None] for each in pair), layer)
    return model(input_ids=ids, past_key_values=cache, use_cache=True).logits[0]


def loss_of(model, data):
    """Return the mean cross-entropy of the supervised tokens, text by text."""
    losses = []
    for row in range(len(data)):
        ids, first = torch.from_numpy(data[row]).long(), int(data.answers[row])
        losses.append(
            cross_entropy(behind(model, ids[:-1])[first - 1 :], ids[first:], reduction="none")
        )
    return torch.cat(losses).mean()


@pytest.mark.parametrize("batch", ["one segment", "very unequal lengths"])
@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning"])
@pytest.mark.parametrize(("route", "name"), WAYS)
def test_loss_and_gradient_are_those_of_each_text_behind_its_own_front(route, name, method, batch):
    model, data = fronted(name, method), some(BATCHES[batch])
    assert route_of(model) == ("lean" if name in LEAN else "packed")
    expected = loss_of(model, data)
    slopes = gradients(model, expected)
    found = answer_loss(model, pack(data, range(len(data)), "cpu"), route=route)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert list(slopes) == ["smalltune_front.weight"]
    assert float(slopes["smalltune_front.weight"].abs().max()) > 0
    assert apart(gradients(model, found), slopes) < 1e-5
