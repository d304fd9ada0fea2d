"""Every route gives the loss, the gradients and the trained parameters of the plain way."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from engine.plainly import BATCHES, FAMILIES, LEAN, apart, built, gradients, loss_of, some

from smalltune.core.plugins import load
from smalltune.engine.batching import epoch_order
from smalltune.engine.forward import answer_loss
from smalltune.engine.optimisers import OPTIMISERS, optimiser_of
from smalltune.engine.packing import pack
from smalltune.engine.routes import route_of
from smalltune.engine.training import Training, train
from smalltune.methods.lora import LoRA

WAYS = [("lean", name) for name in LEAN]
WAYS += [(route, name) for route in ("packed", "padded") for name in FAMILIES]


def packed(data):
    return pack(data, range(len(data)), "cpu")


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("route", "name"), WAYS)
def test_loss_and_gradients_are_those_of_the_plain_way(route, name, batch):
    model, data = built(name), some(BATCHES[batch])
    expected = loss_of(model, data)
    slopes = gradients(model, expected)
    found = answer_loss(model, packed(data), route=route)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert apart(gradients(model, found), slopes) < 1e-5


@pytest.mark.parametrize(("route", "name"), WAYS)
def test_with_lora_attached_too(route, name):
    model, data = built(name).requires_grad_(False), some(BATCHES["very unequal lengths"])
    LoRA().attach(model)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                parameter.normal_(0, 0.1)
    expected = loss_of(model, data)
    slopes = gradients(model, expected)
    found = answer_loss(model, packed(data), route=route)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert all("lora" in parameter_name for parameter_name in slopes)
    assert apart(gradients(model, found), slopes) < 1e-5


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize(("route", "name"), [("lean", "micro-qwen"), ("packed", "micro-deepseek")])
def test_the_parameters_after_five_steps_are_those_of_the_plain_way(route, name, optimiser):
    start = built(name)

    def trained(loss):
        model = copy.deepcopy(start).requires_grad_(True)
        rule = optimiser_of(model, optimiser, learning_rate=1e-3, weight_decay=0.1, beta2=0.999)
        for group in rule.param_groups:
            group["lr"] = 1e-3
        for step in range(5):
            loss(model, some([4, 60, 9, 33, 9, 17], seed=step)).backward()
            rule.step()
            rule.zero_grad(set_to_none=True)
        return {n: p.detach() for n, p in model.named_parameters()}

    before = dict(start.named_parameters())
    expected = trained(loss_of)
    found = trained(lambda model, data: answer_loss(model, packed(data), route=route))
    assert apart(found, expected) < 1e-5
    assert apart(expected, before) > 1e-3


SMALL = {"hidden_size": 48, "intermediate_size": 64}
SMALLER = {
    "micro-llama": {"head_dim": 12},
    "micro-qwen": {"head_dim": 16},
    "micro-qwen2": {},
    "micro-deepseek": {"moe_intermediate_size": 32, "kv_lora_rank": 16},
}
FIVE = Training(steps=5, batch_size=6, schedule="constant", warmup=0, clip=0.5, weight_decay=0.1)


def attached(name, method):
    """Return a small model with a method, all of whose parameters have a gradient at once."""
    model = built(name, **SMALL, **SMALLER[name]).requires_grad_(False)
    load("smalltune.methods", method)().attach(model)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(2))
    return model


def lessons():
    rng = np.random.default_rng(5)
    return some([int(n) for n in rng.integers(3, 50, size=18)], most=2)


def parameters(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def batches_of(data):
    """Return the six batches of two epochs."""
    return [batch for epoch in range(2) for batch in epoch_order(data.lengths, 6, 3, epoch)]


@cache
def trained_plainly(name, method):
    """Return what five steps of a loop that is written out make.

    That is the parameters before and after, the losses, and the gradients of the next step.
    """
    model, data = attached(name, method).train(), lessons()
    before = parameters(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, vectors = ([p for p in trained if (p.dim() > 1) == many] for many in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    rule = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999))
    losses = []
    for batch in batches_of(data)[:5]:
        loss = loss_of(model, data.take(batch))
        losses.append(float(loss.detach()))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 0.5)
        rule.step()
        rule.zero_grad(set_to_none=True)
    after = parameters(model)
    slopes = gradients(model, loss_of(model, data.take(batches_of(data)[5])))
    return before, after, losses, slopes


def next_gradients(model, route):
    """Return the gradients of the sixth batch by a route, at the weights that a model has."""
    batch = lessons().take(batches_of(lessons())[5])
    return gradients(model.train(), answer_loss(model, packed(batch), route=route))


def on(model, route):
    """Put a hook in the way of what is faster than a route; return the model."""
    if route == "packed":
        model.model.layers[0].register_forward_hook(lambda *_: None)
    elif route == "padded":
        model.model.register_forward_pre_hook(lambda *_: None)
    assert route_of(model, 50) == route
    return model


@pytest.mark.parametrize("micro_batch", [None, 60])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(("route", "name"), WAYS)
def test_training_for_five_steps_gives_losses_gradients_and_parameters_of_the_plain_way(
    route, name, method, micro_batch, tmp_path
):
    """Hold gradients as a whole where training ended, and per tensor at the plain way's weights.

    Adam's first steps turn a rounding of a small gradient into one of the weights, which a single
    tensor's gradient shows several times over.
    """
    model = on(attached(name, method), route)
    before, expected, losses, slopes = trained_plainly(name, method)
    log, facts = train(
        model, lessons(), None, FIVE, seed=3, dtype="float32", work=tmp_path,
        checkpoint_seconds=1e9, progress=lambda event: None, micro_batch=micro_batch,
    )  # fmt: skip
    assert apart(parameters(model), expected) < 1e-5
    assert apart(expected, before) > 1e-3
    assert [line["loss"] for line in log] == pytest.approx(losses, rel=1e-5, abs=0)
    assert apart(next_gradients(model, route), slopes) < 1e-5
    with torch.no_grad():
        for tensor, parameter in model.named_parameters():
            parameter.copy_(expected.get(tensor, parameter))
    found = next_gradients(model, route)
    for tensor in found.keys() | slopes.keys():
        assert apart({tensor: found[tensor]}, {tensor: slopes[tensor]}) < 1e-5, tensor
    assert (facts["padding_share"] > 0) == (route == "padded")
    assert micro_batch is None or facts["spent"]["micro_batch"]["tokens"] == micro_batch


@pytest.mark.parametrize("route", ["lean", "packed", "padded"])
def test_the_losses_of_parts_over_one_total_add_up(route):
    model, data = built("micro-llama"), some([5, 30, 12, 7])
    whole = packed(data)
    parts = [pack(data, part, "cpu") for part in ([0, 2], [1], [3])]
    total = len(whole.targets)
    added = sum(answer_loss(model, part, total=total, route=route) for part in parts)
    torch.testing.assert_close(added, answer_loss(model, whole, route=route), rtol=1e-5, atol=0)


def test_text_that_is_supervised_throughout_is_learnt_alike():
    model, data = built("micro-llama"), some([40, 33, 50], most=1)
    data.answers[:] = 1
    expected = loss_of(model, data)
    slopes = gradients(model, expected)
    found = answer_loss(model, packed(data))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert apart(gradients(model, found), slopes) < 1e-5


def test_nothing_to_predict_is_no_loss_and_no_gradient(tiny):
    tiny.requires_grad_(True)
    loss = answer_loss(tiny, pack(some([1, 1]), [0, 1], "cpu"))
    assert float(loss.detach()) == 0
    assert all(not slope.any() for slope in gradients(tiny, loss).values())


def test_hooks_on_a_tied_table_see_its_whole_gradient_once(tiny):
    data, weight = some([5, 30, 12]), tiny.get_output_embeddings().weight
    assert weight is tiny.get_input_embeddings().weight
    tiny.requires_grad_(True)
    whole = gradients(tiny, answer_loss(tiny, packed(data)))["model.embed_tokens.weight"]
    seen, after = [], []
    hook = weight.register_hook(lambda slope: seen.append(slope.to_dense().clone()))
    later = weight.register_post_accumulate_grad_hook(lambda p: after.append(p.grad.clone()))
    answer_loss(tiny, packed(data)).backward()
    for met in (seen, after):
        assert len(met) == 1
        torch.testing.assert_close(met[0], whole, rtol=1e-5, atol=1e-7)
    hook.remove()
    later.remove()
    tiny.zero_grad(set_to_none=True)
    weight.register_hook(lambda slope: 0 * slope.to_dense())
    answer_loss(tiny, packed(data)).backward()
    assert not weight.grad.any()
