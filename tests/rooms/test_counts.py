"""What a method trains: as many numbers as its formula says, of each base and with each target."""

import dataclasses
import json

import pytest
import torch
from rooms.counts import FORMULAS, counted
from rooms.families import FAMILIES, folder_of
from rooms.pairs import GRADIENT, METHODS, PAIRS, base_of, lacking

from smalltune.core.errors import MethodError
from smalltune.models.loading import empty_model, fingerprint, load_model
from smalltune.models.targets import has_experts, is_latent, is_mixture, targets_of

OTHER = {
    "placement": ["pfeiffer"], "width": [3], "tokens": [7], "rank": [3], "layers": [2],
    "target": ["attention", "mlp"],
}  # fmt: skip
"""Other values of options on which a count depends; a method is asked about those that it has."""

TARGETS = (
    "attention", "mlp", "all-linear", ("q_proj",), ("gate_proj",), ("gate_proj", "up_proj"),
    ("down_proj",), ("gate_up_proj",), ("q_proj", "down_proj"), ("o_proj", "gate_up_proj"),
)  # fmt: skip


def has(method, option):
    return option in {field.name for field in dataclasses.fields(method)}


TARGETED = [
    pytest.param(method, family, target, marks=lacking(method))
    for method in GRADIENT
    if has(method, "target")
    for family in FAMILIES
    for target in TARGETS
]


def name_of(method):
    return method.__module__.rpartition(".")[2]


def told(family):
    return json.loads((folder_of(family) / "config.json").read_text())


def trained(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def agrees(method, family):
    """Hold the method's own count, that of its formula and what is trained against one another."""
    by_formula = counted(name_of(type(method)), method, told(family))
    state = torch.get_rng_state()
    assert method.parameters(load_model(folder_of(family))) == by_formula
    assert method.parameters(empty_model(folder_of(family))) == by_formula
    assert torch.equal(torch.get_rng_state(), state)
    model = base_of(type(method), family)
    method.attach(model)
    assert trained(model) == by_formula


def test_every_gradient_method_has_a_formula_and_no_other_has():
    assert sorted(FORMULAS) == sorted(map(name_of, GRADIENT))


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_as_many_parameters_are_trained_as_the_formula_counts(method, family):
    agrees(method(), family)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_the_formula_holds_for_other_options_too(method, family):
    for option, values in OTHER.items():
        for value in values if has(method, option) else ():
            try:
                chosen = method(**{option: value})
                chosen.parameters(load_model(folder_of(family)))
            except MethodError as error:
                assert option == "target" and "choose `" in str(error)
                continue
            agrees(chosen, family)


@pytest.mark.parametrize(("method", "family", "target"), TARGETED)
def test_a_target_is_trained_and_taken_off_again_or_refused_beforehand(method, family, target):
    """Whatever the count does not refuse can be attached, trained and detached, and is counted."""
    chosen, model = method(target=target), base_of(method, family)
    try:
        count = chosen.parameters(empty_model(folder_of(family)))
    except MethodError as error:
        assert "target" in str(error) or "choose `" in str(error)
        return
    before, order = fingerprint(model), [name for name, _ in model.named_parameters()]
    chosen.attach(model)
    assert trained(model) == count == counted(name_of(method), chosen, told(family))
    model(input_ids=torch.arange(8)[None]).logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    chosen.detach(model)
    assert fingerprint(model) == before
    assert [name for name, _ in model.named_parameters()] == order


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", [m for m in GRADIENT if has(m, "target") and not m.needs])
def test_what_a_method_leaves_out_of_all_linear_is_remarked(method, family):
    chosen, model = method(), empty_model(folder_of(family))
    found, everything = chosen.targets(model), targets_of(model, "all-linear")
    adapted = {*found.modules, *(name.removesuffix(".weight") for name in found.parameters)}
    left = {*everything.modules, *everything.parameters} - adapted
    said = chosen.remark({"model_type": told(family)["model_type"]})
    assert bool(said) == bool(left)
    assert not any("attn" in name for name in left) and ("attention alone" in said) == bool(left)
    assert not method(target="attention").remark(told(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_configuration_and_its_model_agree_on_experts_and_latent_attention(family):
    config, model = told(family), empty_model(folder_of(family))
    assert has_experts(config) == is_mixture(model)
    assert is_latent(config) == any("kv_b_proj" in name for name, _ in model.named_modules())


@pytest.mark.parametrize("method", [m for m in METHODS if m.uses_model])
def test_a_remark_ends_a_sentence_and_is_made_where_an_architecture_differs(method):
    said = {family: method().remark(told(family)) for family in FAMILIES}
    assert not any(said[family] for family in FAMILIES if family != "micro-deepseek")
    for text in said.values():
        assert not text.endswith(".") and text[:1] == text[:1].lower()
