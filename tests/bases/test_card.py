import json
import re

import numpy as np
import pytest
from bases.small import STEPS
from card import STYLES, card, samples
from curves import draw, smooth
from embed import embed
from measured import note
from origin import corpus_of
from records import kept
from trained import finished, trained

from smalltune.core.errors import DataError, StudyError

NAMES = {
    "micro-llama": ("LlamaForCausalLM", "Llama"),
    "micro-qwen": ("Qwen3ForCausalLM", "Qwen"),
    "micro-deepseek": ("DeepseekV3ForCausalLM", "DeepSeek"),
}


@pytest.fixture(scope="module")
def embedded(made, tmp_path_factory):
    """Every base's embedded folder, by its name."""
    target = tmp_path_factory.mktemp("models")
    bases, _ = finished(made)
    return {base.name: embed(base, target) for base in bases}


@pytest.mark.parametrize("name", NAMES)
def test_each_card_speaks_of_its_own_architecture_and_of_no_other(name, embedded):
    text = (embedded[name] / "README.md").read_text()
    architecture, style = NAMES[name]
    assert f"`{architecture}`" in text
    assert f"A {style}-*style*" in text
    assert f"It is not a {style} model" in text
    others = {one for one, *_ in STYLES.values()} - {style}
    assert not any(re.search(rf"\b{other}\b", text) for other in others)
    assert not re.search(r"\{\w*\}|nan|None", text)


def test_what_the_card_says_is_what_is_stored(made, embedded):
    base = trained(made / "micro-llama")
    record = base.record
    text = (embedded["micro-llama"] / "README.md").read_text()
    assert f"{STEPS} steps, {record.facts['tokens']:,} tokens" in text
    assert f"{record.counts['total']:,} in all" in text
    score = base.study.trial(base.trial.id).scores("test")["bits_per_byte"]
    assert f"{score:.3f} bits per byte" in text
    asked = base.study.spec.training  # as the study file says it: the pilot may choose anew
    name = {"adamw": "AdamW", "muon": "Muon"}[asked["optimiser"]]
    assert f"{name} with a peak\nlearning rate of {asked['learning_rate']:g}" in text
    assert "each seen once" in text
    assert "40 to train on, 4 for dev and 6 for test" in text
    assert base.study.spec.tasks[0].said.licence in text


def test_the_card_prints_what_was_removed_for_each_data_set(embedded):
    text = (embedded["micro-qwen"] / "README.md").read_text()
    assert "| quiz/validation | 23 | 7 | 31 | 4,321 |" in text
    assert "Nothing was found of films/test." in text
    assert "1,001 documents\nwent whole" in text


def test_the_mixtures_card_tells_active_from_stored_parameters(made, embedded):
    base = trained(made / "micro-deepseek")
    text = (embedded["micro-deepseek"] / "README.md").read_text()
    assert f"{base.counts['active']:,} active parameters" in text
    assert f"{base.counts['inner']:,} of these\nstored" in text
    assert "| routed experts a layer | 4 |" in text
    assert "routed" not in (embedded["micro-llama"] / "README.md").read_text()


def test_a_card_about_another_text_is_refused(workplace):
    corpus = corpus_of(workplace)
    corpus["shards"]["train.jsonl"]["sha256"] = "0" * 64
    (workplace / "corpus.json").write_text(json.dumps(corpus))
    with pytest.raises(DataError, match=r"corpus\.json is not about the text that micro-llama"):
        card(trained(workplace / "micro-llama").record, workplace, [])


def test_the_share_of_the_peak_is_printed_only_where_a_peak_was_measured(workplace):
    base = trained(workplace / "micro-llama").record
    assert "peak of matrix products" not in card(base, workplace, [])
    place = f"cpu: {base.made['machine']['cpu']}, {base.made['threads']} threads, float32"
    note(workplace, "peak", place, 1e13)
    assert "% of the measured peak of matrix products" in card(base, workplace, [])


def test_embedding_twice_writes_the_same_bytes(made, embedded, tmp_path):
    base = trained(made / "micro-deepseek")
    again = embed(base, tmp_path)
    first = {path.name: path.read_bytes() for path in embedded["micro-deepseek"].iterdir()}
    assert {path.name: path.read_bytes() for path in again.iterdir()} == first
    assert {"README.md", "loss.png", "model.safetensors", "training.json"} <= first.keys()


def test_the_samples_begin_with_the_prompts_and_repeat(embedded):
    from card import PROMPTS

    first = samples(embedded["micro-llama"])
    assert first == samples(embedded["micro-llama"])
    assert all(text.startswith(p) for text, p in zip(first, PROMPTS, strict=True))
    assert all(f"> {text}" in (embedded["micro-llama"] / "README.md").read_text() for text in first)


def test_the_embedded_facts_are_those_of_the_record(made, embedded):
    facts = json.loads((embedded["micro-qwen"] / "training.json").read_text())
    record = trained(made / "micro-qwen").record
    assert facts["facts"] == record.facts
    assert facts["spec"] == record.spec
    assert facts["key"] == record.key
    (kept_one,) = (one for one in kept(made) if one.name == "micro-qwen")
    assert kept_one.losses == [round(loss, 4) for loss in record.losses]
    assert len(kept_one.losses) == STEPS


def test_a_study_that_has_not_been_run_is_refused(workplace):
    import shutil

    shutil.rmtree(workplace / "micro-llama" / ".smalltune")
    with pytest.raises(StudyError, match="not trained yet: `smalltune run bases/micro-llama`"):
        trained(workplace / "micro-llama")


def test_a_smoothed_curve_keeps_mean_and_range():
    losses = np.linspace(8, 4, 1001)
    steps, means = smooth(losses, points=50)
    assert len(steps) == len(means) == 50
    assert 1 <= steps[0] < steps[-1] <= 1001
    np.testing.assert_allclose(means, np.interp(steps, np.arange(1, 1002), losses))
    assert [values.tolist() for values in smooth([3.0, 2.0], points=50)] == [[1, 2], [3, 2]]


def test_a_figure_of_other_losses_is_another_figure(tmp_path):
    for name, shift in (("a", 0), ("b", 0), ("c", 1)):
        draw({"x": [5.0 + shift, 4.0, 3.0]}, tmp_path / f"{name}.png", "Loss")
    first, same, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert first == same != other
