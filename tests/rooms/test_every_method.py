"""One contract for every method and family, by what it declares, never by its name."""

import dataclasses
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch
from rooms.families import FAMILIES, folder_of
from rooms.pairs import GRADIENT, METHODS, PAIRS, base_of, data, fit, fits

from smalltune.core.errors import MethodError
from smalltune.core.plugins import load
from smalltune.engine.quantised import plainly_loaded
from smalltune.engine.scoring import log_likelihoods
from smalltune.engine.segments import Segments
from smalltune.methods import Classical, Copied, Gradient, Method
from smalltune.models.export import export, form_of, opening
from smalltune.models.loading import fingerprint, load_model

CLASSICAL = [m for m in METHODS if not m.uses_model and m.answers == "labels"]
COPIED = [m for m in METHODS if not m.uses_model and m.answers == "texts"]
MERGED = [pair for pair in PAIRS if hasattr(pair.values[0], "merge")]


@dataclasses.dataclass
class Life:
    """What became of one model: a training, what was saved, and how the trained model answers."""

    folder: Path
    losses: list
    trained: int
    scores: np.ndarray
    logits: torch.Tensor
    after: str


@cache
def life(method, family):
    """Train a method on a family's model, save, answer, detach; what follows is looked up."""
    model, losses = fit(method(), family)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    folder = Path(mkdtemp())
    method().save(model, folder)
    scores = log_likelihoods(model, data())
    logits = None
    if not hasattr(model, "smalltune_front"):  # only the engine puts virtual tokens in front
        with torch.no_grad():
            logits = model(input_ids=torch.arange(20)[None]).logits
    method().detach(model)
    assert not any(p.requires_grad for p in model.parameters())
    return Life(folder, losses, trained, scores, logits, fingerprint(model))


def opened(weights, base, method=None, **more):
    name = type(method).__module__.removeprefix("smalltune.methods.")
    return opening(weights, base, method=name, options=method.options() if method else {}, **more)


def by_the_card(card, folder):
    """Do what a card says with its folder; return what is there then."""
    code = card.partition("```python\n")[2].partition("```")[0].replace("FOLDER", str(folder))
    made = {}
    exec(code, made)
    return made


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_is_a_final_frozen_dataclass_that_says_what_it_is(method):
    assert issubclass(method, Method)
    assert not method.__subclasses__()
    assert dataclasses.is_dataclass(method) and method.__dataclass_params__.frozen
    assert method.title and len(method.rationale) > 40
    assert method.trains == issubclass(method, Gradient)
    assert method.uses_model != issubclass(method, Classical | Copied)
    assert method.answers in ("labels", "texts", "any")


@pytest.mark.parametrize("method", GRADIENT, ids=lambda m: m.__name__)
def test_every_method_fits_a_family(method):
    assert any(fits(method, family) for family in FAMILIES)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_the_loss_falls(method, family):
    losses = life(method, family).losses
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_the_first_forward_is_the_bases_own_where_the_method_says_so(method, family):
    model = base_of(method, family)
    before = log_likelihoods(model, data())
    torch.manual_seed(1)  # not the seed that the base was drawn from
    method().attach(model)
    after = log_likelihoods(model.eval(), data())
    assert np.allclose(after, before, rtol=1e-5, atol=1e-5) == method.starts_at_base


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_a_frozen_base_is_bit_identical_after_training(method, family):
    before = fingerprint(base_of(method, family))
    assert (life(method, family).after == before) != method.changes_base


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_what_is_saved_and_loaded_predicts_the_same_to_the_bit(method, family):
    model = base_of(method, family)
    method().load(model, life(method, family).folder)
    np.testing.assert_array_equal(
        log_likelihoods(model.eval(), data()), life(method, family).scores
    )


@pytest.mark.parametrize(("method", "family"), MERGED)
def test_merged_into_the_base_it_predicts_the_same_within_rounding(method, family):
    from transformers import AutoModelForCausalLM

    model = base_of(method, family)
    method().load(model, life(method, family).folder)
    kinds = {type(m) for m in load_model(folder_of(family)).modules()}
    method().merge(model)
    assert {type(m) for m in model.modules()} == kinds
    found = log_likelihoods(model.eval(), data())
    np.testing.assert_allclose(found, life(method, family).scores, rtol=1e-4, atol=1e-4)
    whole, out = Path(mkdtemp()), Path(mkdtemp())
    load("smalltune.methods", "full")().save(model, whole)
    export(folder_of(family), whole, out, base_name="", card=opened(whole, ""))
    plain = AutoModelForCausalLM.from_pretrained(out)
    np.testing.assert_allclose(log_likelihoods(plain.eval(), data()), found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_saving_twice_gives_the_same_bytes(method, family):
    model = base_of(method, family)
    method().load(model, life(method, family).folder)
    again = Path(mkdtemp())
    method().save(model, again)
    a, b = (
        {p.name: p.read_bytes() for p in sorted(f.iterdir())}
        for f in (life(method, family).folder, again)
    )
    assert a == b


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_two_seeds_differ_and_one_seed_repeats(method, family):
    prints = [fingerprint(fit(method(), family, seed=seed, steps=2)[0]) for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_plain_transformers_or_peft_open_what_is_exported_or_its_card_says_no(
    method, family, tmp_path
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    found, base, folder = life(method, family), folder_of(family), tmp_path / "out"
    form = method().quantised()
    told = plainly_loaded(form) if form else None
    card = opened(
        found.folder, str(base), method(), quantised=told, merges=hasattr(method, "merge")
    )
    export(base, found.folder, folder, base_name=str(base), card=card)
    ids = torch.arange(20)[None]
    bits = {"quantization_config": BitsAndBytesConfig(**told)} if told else {}
    if form_of(folder) == "peft":
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **bits)
        plain = PeftModel.from_pretrained(model, folder)
        assert "PEFT opens this folder" in card and ("BitsAndBytesConfig" in card) == bool(form)
    elif form_of(folder) == "transformers":
        plain = AutoModelForCausalLM.from_pretrained(folder)
        assert "Transformers opens this folder" in card
    else:
        assert "Neither Transformers nor PEFT opens this folder" in card
        assert ("--merged" in card) == hasattr(method, "merge")
        assert not (folder / "adapter_config.json").exists() and not [*folder.glob("model*")]
        ours = by_the_card(card, folder)["model"]
        np.testing.assert_array_equal(log_likelihoods(ours.eval(), data()), found.scores)
        return
    plain.train(bool(told))  # in evaluation bitsandbytes may multiply in bfloat16 on a CPU
    with torch.no_grad():
        logits = plain(input_ids=ids).logits
        if found.logits is None:  # what the engine gives for the same tokens behind the front
            ours = base_of(method, family)
            method().load(ours, found.folder)
            rows = Segments.of([ids[0].numpy()], [1], [0])
            wanted = logits[0, -20:-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum()
            assert log_likelihoods(ours.eval(), rows)[0] == pytest.approx(float(wanted), rel=1e-4)
            return
    torch.testing.assert_close(logits, found.logits, rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize("method", COPIED, ids=lambda m: m.__name__)
def test_what_is_copied_stands_in_the_item(method):
    text = 'He said "no." Then he left! Nobody saw him. That was all. Or was it?'
    found = method().text({"article": text, "question": "Who?"})
    assert found and found in text
    assert method().text({"article": "no end"}) == "no end"
    assert method().text({"article": ""}) == ""


def test_the_lead_is_as_many_sentences_as_are_asked_for():
    text = "One. Two! Three? Four."
    leads = [load("smalltune.methods", "lead")(sentences=n).text({"a": text}) for n in (1, 3, 9)]
    assert leads == ["One.", "One. Two! Three?", text]


def test_a_target_that_does_not_exist_is_named(tiny):
    with pytest.raises(MethodError, match=r"the target 'q_prj' is no linear layer .* 'q_proj'"):
        load("smalltune.methods", "lora")(target=("q_prj",)).attach(tiny)


def test_a_rank_larger_than_a_matrix_is_refused_by_its_name(tiny):
    with pytest.raises(MethodError, match=r"rank 17 is larger than .*k_proj \(16 x 32\)"):
        load("smalltune.methods", "lora")(rank=17).attach(tiny)


def test_biases_that_are_not_there_are_refused_with_what_to_choose(tiny):
    with pytest.raises(MethodError, match=r"has none .* choose `norm_tuning`"):
        load("smalltune.methods", "bitfit")().attach(tiny)


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
