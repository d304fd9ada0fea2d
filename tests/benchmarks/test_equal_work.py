"""Equal work, on a tiny model: the harness's own Trainer settings against smalltune's engine."""

from dataclasses import replace

import numpy as np
import pytest
from harness import training
from harness.jobs import Plan, order_of
from harness.lengths import _cut
from harness.timing import Unequal

from smalltune.engine.segments import Segments
from smalltune.models.loading import load_model, load_tokeniser

PLAN = Plan(
    "tiny", "full", "none", batch=4, steps=3, warm=1, rounds=(1, 1),
    variants=("smalltune", "trainer", "trainer_packed", "smalltune_like", "trainer_like"),
)  # fmt: skip


@pytest.fixture
def rows():
    """Sixteen rows of four to twelve tokens, the last one or two of which are learned."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 13, 16)
    texts = [rng.integers(1, 4096, n).tolist() for n in lengths]
    return Segments.of(texts, (lengths - rng.integers(1, 3, 16)).tolist(), [0] * 16)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_every_setting_of_trainer_ends_where_smalltune_ends(tiny_folder, rows, method):
    plan = replace(PLAN, method=method)
    found = training.measure(plan, load_model(tiny_folder), load_tokeniser(tiny_folder), rows)
    for name in plan.variants:
        distances = found["runs"][name]["distances"]
        assert all(distances[what] <= limit for what, limit in training.LIMITS.items())
        assert found["runs"][name]["cpu"][0] > 0
    assert found["runs"]["trainer"]["distances"]["weights"] > 0  # it was another computation
    assert found["flop"] > 0 and found["padded_tokens"] > found["tokens"]
    assert found["flop_like"] > 0 and len(found["peaks"]) == 1 and found["peaks"][0] > 0


def test_a_variant_that_learns_from_other_rows_is_refused(tiny_folder, rows, monkeypatch):
    from harness import trainers

    other = rows.take(np.roll(np.arange(16), 1))
    wrong = trainers.default

    def cheat(job):
        job.data = other
        return wrong(job)

    monkeypatch.setattr(trainers, "default", cheat)
    plan = replace(PLAN, variants=("smalltune", "trainer"))
    with pytest.raises(Unequal, match="trainer: loss differs"):
        training.measure(plan, load_model(tiny_folder), load_tokeniser(tiny_folder), rows)


@pytest.mark.parametrize("kind", ["shuffled", "by_length"])
def test_an_order_holds_every_row_once(kind):
    lengths = np.random.default_rng(0).integers(2, 50, 40)
    batches = order_of(lengths, 8, kind)
    assert [len(batch) for batch in batches] == [8] * 5
    assert sorted(np.concatenate(batches)) == list(range(40))


def test_rows_that_are_cut_have_all_one_length_and_one_learned_token(rows):
    found = _cut(rows, 6, 5)
    assert found.lengths.tolist() == [6] * 5
    assert found.answers.tolist() == [5] * 5
