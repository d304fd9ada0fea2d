"""One contract for every method, by what it declares, never by its name."""

import dataclasses

import numpy as np
import pytest
import torch

from smalltune.core.plugins import load, names
from smalltune.engine.scoring import log_likelihoods
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train
from smalltune.methods import Classical, Gradient, Method
from smalltune.models.loading import fingerprint, load_model

METHODS = [load("smalltune.methods", name) for name in names("smalltune.methods")]
GRADIENT = [method for method in METHODS if method.trains]
CLASSICAL = [method for method in METHODS if not method.uses_model]


def data():
    rng = np.random.default_rng(5)
    return Segments.of([rng.integers(1, 99, size=10) for _ in range(32)], [5] * 32, [0] * 32)


def fit(method, folder, work, *, seed=0, steps=25):
    model = load_model(folder)
    torch.manual_seed(seed)
    method.attach(model)
    rate = 3 * method.training["learning_rate"]
    log, _ = train(
        model,
        data(),
        None,
        Training(steps=steps, learning_rate=rate, batch_size=8),
        seed=seed,
        dtype="float32",
        work=work,
        checkpoint_seconds=60.0,
        progress=lambda event: None,
    )
    return model, [row["loss"] for row in log]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_is_a_final_frozen_dataclass_that_says_what_it_is(method):
    assert issubclass(method, Method)
    assert not method.__subclasses__()
    assert dataclasses.is_dataclass(method) and method.__dataclass_params__.frozen
    assert method.title and len(method.rationale) > 40
    assert method.trains == issubclass(method, Gradient)
    assert method.uses_model != issubclass(method, Classical)


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_the_loss_falls(method, tiny_folder, tmp_path):
    _, losses = fit(method(), tiny_folder, tmp_path)
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_the_first_forward_is_the_bases_own_where_the_method_says_so(method, tiny):
    before = log_likelihoods(tiny, data())
    torch.manual_seed(1)  # not the seed that the tiny base was drawn from
    method().attach(tiny)
    same = np.array_equal(log_likelihoods(tiny, data()), before)
    assert same == method.starts_at_base


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_a_frozen_base_is_bit_identical_after_training(method, tiny_folder, tmp_path):
    before = fingerprint(load_model(tiny_folder))
    model, _ = fit(method(), tiny_folder, tmp_path)
    method().detach(model)
    assert (fingerprint(model) == before) != method.changes_base
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_what_is_saved_and_loaded_predicts_the_same_to_the_bit(method, tiny_folder, tmp_path):
    model, _ = fit(method(), tiny_folder, tmp_path)
    method().save(model, tmp_path)
    again = load_model(tiny_folder)
    method().load(again, tmp_path)
    np.testing.assert_array_equal(
        log_likelihoods(again, data()), log_likelihoods(model.eval(), data())
    )


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_saving_twice_gives_the_same_bytes(method, tiny_folder, tmp_path):
    model, _ = fit(method(), tiny_folder, tmp_path, steps=2)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        method().save(model, folder)
    a, b = ({p.name: p.read_bytes() for p in sorted(f.iterdir())} for f in folders)
    assert a == b


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_two_seeds_differ_and_one_seed_repeats(method, tiny_folder, tmp_path):
    prints = [
        fingerprint(fit(method(), tiny_folder, tmp_path, seed=seed, steps=5)[0])
        for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_plain_transformers_or_peft_load_what_is_saved(method, tiny_folder, tmp_path):
    import shutil

    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "saved"
    shutil.copytree(tiny_folder, folder)
    (folder / "model.safetensors").unlink()
    model, _ = fit(method(), tiny_folder, tmp_path)
    method().save(model, folder)
    if (folder / "adapter_config.json").exists():
        plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_folder), folder)
    else:
        plain = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(
            plain.eval()(input_ids=ids).logits, model.eval()(input_ids=ids).logits
        )


@pytest.mark.parametrize("method", CLASSICAL, ids=lambda m: m.__name__)
def test_a_classical_method_gives_log_probabilities_and_repeats(method):
    texts = ["good fine film", "bad dull film", "fine and good", "dull and bad", "good"]
    labels = [1, 0, 1, 0, 1]
    found = method().log_probs(texts, labels, 2, ["good", "dull", "never seen"])
    assert found.shape == (3, 2)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)
    np.testing.assert_array_equal(
        found, method().log_probs(texts, labels, 2, ["good", "dull", "x"])
    )
    assert found[0].argmax() == 1


def test_lora_trains_as_many_parameters_as_its_paper_counts(tiny):
    """Hu et al. (2022): rank x (inputs + outputs) for each adapted matrix."""
    rank = 4
    expected = sum(
        rank * sum(module.weight.shape)
        for name, module in tiny.named_modules()
        if isinstance(module, torch.nn.Linear) and name != "lm_head"
    )
    load("smalltune.methods", "lora")(rank=rank).attach(tiny)
    assert sum(p.numel() for p in tiny.parameters() if p.requires_grad) == expected


def test_a_target_that_does_not_exist_is_named(tiny):
    from smalltune.core.errors import MethodError

    with pytest.raises(MethodError, match="lora: the target 'no_such' does not fit this model"):
        load("smalltune.methods", "lora")(target=("no_such",)).attach(tiny)


def test_from_scratch_begins_as_the_architecture_initialises_itself(tiny):
    """Normal with the configuration's deviation, norms at one; no trained weight is left."""
    before = {name: p.clone() for name, p in tiny.named_parameters()}
    torch.manual_seed(1)
    load("smalltune.methods", "from_scratch")().attach(tiny)
    for name, parameter in tiny.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.ones_like(parameter))
        else:
            assert not torch.isclose(parameter, before[name]).float().mean() > 0.01
            assert abs(parameter.std().item() / tiny.config.initializer_range - 1) < 0.1
