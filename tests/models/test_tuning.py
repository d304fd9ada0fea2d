"""Methods on every family: they attach to its modules, come back from disk, and are exported."""

import json

import numpy as np
import pytest
import torch

from smalltune.core.plugins import load
from smalltune.engine.scoring import log_likelihoods
from smalltune.engine.segments import Segments
from smalltune.models.export import export
from smalltune.models.loading import fingerprint, load_model

FAMILIES = ("qwen2", "qwen2-untied", "qwen3", "llama2", "llama3", "deepseek-v2", "deepseek-v3")
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}
LATENT = MLP | {"kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "experts", "base_layer"}
LAYERS = {
    "deepseek-v2": LATENT | {"q_proj"},
    "deepseek-v3": LATENT | {"q_a_proj", "q_b_proj"},
}
"""Of a mixture also its stacked experts, but not the router."""


def some():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(3, 300, size=rng.integers(5, 30)) for _ in range(6)]
    return Segments.of(sequences, [2] * 6, [0] * 6)


def tuned(folder, method):
    """A base after a step of made-up size in every parameter that the method trains."""
    model = load_model(folder)
    torch.manual_seed(1)
    method.attach(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn_like(parameter))
    return model.eval()


def method_of(name):
    return load("smalltune.methods", name)()


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_meets_the_linear_layers_of_every_family_but_the_head(families, family):
    model = load_model(families(family))
    before = fingerprint(model)
    method_of("lora").attach(model)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    layers = {name.split(".lora_")[0].rpartition(".")[2] for name in trained}
    assert layers == LAYERS.get(family, ATTENTION | MLP)
    assert all(".lora_" in name for name in trained)
    method_of("lora").detach(model)
    assert fingerprint(model) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_full_trains_every_parameter_once(families, family):
    model = load_model(families(family))
    method_of("full").attach(model)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(names) == len(list(model.parameters()))
    untied = family in ("qwen2-untied", "llama2", "deepseek-v2", "deepseek-v3")
    assert ("lm_head.weight" in names) == untied


@pytest.mark.parametrize("name", ["full", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_trained_comes_back_from_disk_to_the_bit(families, tmp_path, family, name):
    method = method_of(name)
    model = tuned(families(family), method)
    method.save(model, tmp_path)
    again = load_model(families(family))
    method.load(again, tmp_path)
    assert fingerprint(again) == fingerprint(model)
    changed = log_likelihoods(model, some())
    assert not np.allclose(changed, log_likelihoods(load_model(families(family)), some()))


@pytest.mark.parametrize("name", ["full", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_exported_model_answers_alike_without_smalltune(families, tmp_path, family, name):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    method, weights, folder = method_of(name), tmp_path / "weights", tmp_path / "out"
    model = tuned(families(family), method)
    weights.mkdir()
    method.save(model, weights)
    export(
        families(family), weights, folder, base_name="Owner/Model", revision="abc", card="A card"
    )
    if name == "full":
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    else:
        config = json.loads((folder / "adapter_config.json").read_text())
        assert (config["base_model_name_or_path"], config["revision"]) == ("Owner/Model", "abc")
        base = AutoModelForCausalLM.from_pretrained(families(family), dtype=torch.float32)
        plain = PeftModel.from_pretrained(base, folder).base_model.model
    expected = log_likelihoods(model, some())
    np.testing.assert_allclose(log_likelihoods(plain.eval(), some()), expected, rtol=1e-5)


def test_lora_and_full_on_the_real_shape_of_tinyllama(tinyllama):
    model = load_model(tinyllama)
    before = fingerprint(model)
    method_of("lora").attach(model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    attention = 2 * (2048 + 2048) + 2 * (2048 + 256)
    assert trained == 8 * (attention + 3 * (2048 + 5632))
    method_of("lora").detach(model)
    assert fingerprint(model) == before
    method_of("full").attach(model)
    assert all(p.requires_grad for p in model.parameters())
    assert model.lm_head.weight is not model.model.embed_tokens.weight


def test_lora_on_the_real_names_of_qwen(qwen):
    model = load_model(qwen)
    method_of("lora").attach(model)
    trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    layers = {name.split(".lora_")[0].rpartition(".")[2] for name in trained}
    assert layers == ATTENTION | MLP
    widths = {"q_proj": 896, "k_proj": 128, "v_proj": 128, "o_proj": 896, "down_proj": 896}
    counted = sum(8 * (896 + width) for name, width in widths.items() if name != "down_proj")
    assert sum(trained.values()) == counted + 8 * 3 * (896 + 4864)


@pytest.mark.parametrize("name", ["prefix_tuning", "ia3", "norm_tuning", "dora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_counted_is_what_is_trained(families, family, name):
    model = load_model(families(family))
    count = method_of(name).parameters(model)
    method_of(name).attach(model)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
