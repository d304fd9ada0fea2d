"""What the peers run, on a tiny model and without their packages where they need none."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from harness import generation, single_run, studies
from harness.timing import Unequal

from smalltune.engine.segments import Segments
from smalltune.models.loading import load_model, load_tokeniser


@pytest.fixture
def prompts():
    """Five prompts of three to eleven tokens."""
    rng = np.random.default_rng(0)
    return Segments.of([rng.integers(1, 4096, n) for n in (7, 3, 11, 4, 9)], [1] * 5, [0] * 5)


@pytest.mark.parametrize("beams", [1, 2])
def test_generate_writes_what_smalltune_writes_in_batches_of_any_size_and_order(
    tiny_folder, prompts, beams
):
    model = load_model(tiny_folder)
    plan = generation.Plan("tiny", "none", 5, tokens=4, beams=beams)
    ours = generation._smalltune(model, prompts, plan, 2)
    by_length = np.argsort(-prompts.lengths)
    for order, size in ((np.arange(5), 2), (by_length, 5), (by_length, 3)):
        assert generation._generate(model, prompts, plan, 2, order, size) == ours


def test_a_text_ends_before_its_end_token(prompts):
    wide = []

    def generate(input_ids, **_):
        wide.append(input_ids.shape[1])
        made = torch.tensor([[5, 2, 2], [6, 7, 8]])[: len(input_ids)]
        return torch.cat((input_ids, made), dim=1)

    model = SimpleNamespace(generate=generate, device="cpu")
    plan = generation.Plan("tiny", "none", 3, tokens=3)
    texts = generation._generate(model, prompts.take(np.arange(3)), plan, 2, np.array([2, 0, 1]), 2)
    assert texts == [(6, 7, 8), (5,), (5,)]
    assert wide == [11, 3]  # a batch is as wide as its longest prompt


def test_sizes_of_batches_beyond_all_rows_are_that_of_all_rows():
    assert generation.sizes((8, 16, 32, 64), 24) == [8, 16, 24]
    assert generation.sizes((4, 8), 64) == [4, 8]


def test_of_a_supervised_row_only_the_label_word_is_learned(tiny_folder):
    tokeniser = load_tokeniser(tiny_folder)
    rows = [{"prompt": "A fine film. It was", "label": 1}]
    (made,) = single_run.supervised(tokeniser, rows)
    word = tokeniser(" good", add_special_tokens=False)["input_ids"]
    assert made["input_ids"][-len(word) :] == word == made["labels"][-len(word) :]
    assert set(made["labels"][: -len(word)]) == {-100}
    assert len(made["labels"]) == len(made["input_ids"])


def test_rows_are_read_line_by_line(tmp_path):
    rows = [{"prompt": "a", "label": 0}, {"prompt": "b", "label": 1}]
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert single_run.read(tmp_path / "dev.jsonl") == rows


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_accuracy_is_the_share_of_rows_whose_label_word_is_likelier(tiny_folder, batch):
    model, tokeniser = load_model(tiny_folder), load_tokeniser(tiny_folder)
    tokeniser.pad_token = tokeniser.pad_token or tokeniser.eos_token
    texts = ["It was", "A film that nobody should miss. It was", "Never again. It is"]
    words = [tokeniser(w, add_special_tokens=False)["input_ids"][0] for w in (" bad", " good")]
    likelier = []
    for text in texts:
        ids = tokeniser(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            likelier.append(int(model(ids).logits[0, -1, words].argmax()))
    rows = [{"prompt": t, "label": label} for t, label in zip(texts, likelier, strict=True)]
    assert single_run.accuracy(model, tokeniser, rows, batch) == 1.0
    assert single_run.accuracy(model, tokeniser, rows, batch, logits_to_keep=1) == 1.0
    rows[0]["label"] = 1 - rows[0]["label"]
    assert single_run.accuracy(model, tokeniser, rows, batch) == pytest.approx(2 / 3)


def test_seeds_that_both_sides_ran_are_held_side_by_side():
    ours = {"accuracy": [0.5, 0.6, 0.9], "loss": [1.0, 2.0, 7.0]}
    theirs = {"accuracy": [0.5, 0.595], "loss": [1.0, 2.0001]}
    found = studies.apart(theirs, ours)
    assert found == {"accuracy": pytest.approx(0.005), "loss": pytest.approx(5e-5)}
    studies.refuse_unequal("one_by_one", found, studies.LIMITS)
    with pytest.raises(Unequal, match="loss"):
        off = studies.apart(theirs | {"loss": [1.0, 2.1]}, ours)
        studies.refuse_unequal("one_by_one", off, studies.LIMITS)
