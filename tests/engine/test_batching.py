import numpy as np
import pytest

from smalltune.engine.batching import by_tokens, epoch_order, to_tensors
from smalltune.engine.segments import Segments

LENGTHS = np.random.default_rng(0).integers(3, 90, size=1000)


def test_an_epoch_holds_every_segment_once():
    batches = epoch_order(LENGTHS, 16, seed=1, epoch=0)
    assert sorted(np.concatenate(batches)) == list(range(1000))


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else():
    def order(seed, epoch):
        return np.concatenate(epoch_order(LENGTHS, 16, seed, epoch)).tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)


def test_neighbours_are_of_similar_length_so_that_little_is_padding():
    batches = epoch_order(LENGTHS, 16, seed=1, epoch=0)
    padded = sum(LENGTHS[b].max() * len(b) for b in batches)
    shuffled = np.random.default_rng(1).permutation(1000)
    plain = sum(LENGTHS[b].max() * len(b) for b in np.array_split(shuffled, 63))
    assert 1 - LENGTHS.sum() / padded < 0.08 < 0.3 < 1 - LENGTHS.sum() / plain


@pytest.mark.parametrize("budget", [90, 500, 4096])
def test_evaluation_batches_keep_to_the_token_budget(budget):
    batches = list(by_tokens(LENGTHS, budget))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert all(LENGTHS[b].max() * len(b) <= max(budget, LENGTHS[b].max()) for b in batches)


def test_positions_point_at_the_token_before_each_target():
    data = Segments.of([[7, 8, 9], [5, 6, 7, 8]], answers=[2, 1], labels=[0, 0])
    ids, positions, targets = to_tensors(data, [0, 1], "cpu")
    assert ids.tolist() == [[7, 8, 9, 0], [5, 6, 7, 8]]
    assert ids.flatten()[positions].tolist() == [8, 5, 6, 7]
    assert targets.tolist() == [9, 6, 7, 8]


def test_segments_come_back_from_disk_as_they_were(tmp_path):
    data = Segments.of([[7, 8, 9], [5, 6, 7, 8]], answers=[2, 1], labels=[1, 0])
    data.save(tmp_path / "a.safetensors")
    data.save(tmp_path / "b.safetensors")
    again = Segments.load(tmp_path / "a.safetensors")
    assert again[1].tolist() == [5, 6, 7, 8]
    assert again.labels.tolist() == [1, 0]
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
