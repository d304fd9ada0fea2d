"""Every route gives the loss, the gradients and the trained parameters of the plain way."""

import copy

import pytest
import torch
from engine.plainly import BATCHES, FAMILIES, LEAN, apart, built, gradients, loss_of, some

from smalltune.engine.forward import answer_loss
from smalltune.engine.optimisers import OPTIMISERS, optimiser_of
from smalltune.engine.packing import pack
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
