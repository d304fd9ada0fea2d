import numpy as np
import pytest

from smalltune.core.errors import EngineError
from smalltune.engine.batching import ORDERS, by_tokens, epoch_order
from smalltune.engine.segments import Segments

LENGTHS = np.random.default_rng(0).integers(3, 90, size=1000)


@pytest.mark.parametrize("order", ORDERS)
def test_an_epoch_holds_every_segment_once(order):
    batches = epoch_order(LENGTHS, 16, seed=1, epoch=0, order=order)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert sorted(len(batch) for batch in batches) == [8] + [16] * 62


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else(order):
    def places(seed, epoch):
        return np.concatenate(epoch_order(LENGTHS, 16, seed, epoch, order)).tolist()

    assert places(1, 0) == places(1, 0)
    assert places(1, 0) != places(2, 0)
    assert places(1, 0) != places(1, 1)


def test_shuffled_batches_do_not_look_at_lengths():
    assert all(
        np.array_equal(one, other)
        for one, other in zip(
            epoch_order(LENGTHS, 16, 1, 0), epoch_order(LENGTHS[::-1], 16, 1, 0), strict=True
        )
    )


def test_by_length_neighbours_are_of_similar_length():
    def padded(batches):
        return sum(LENGTHS[b].max() * len(b) for b in batches)

    like = padded(epoch_order(LENGTHS, 16, 1, 0, "by_length"))
    mixed = padded(epoch_order(LENGTHS, 16, 1, 0, "shuffled"))
    assert 1 - LENGTHS.sum() / like < 0.08 < 0.3 < 1 - LENGTHS.sum() / mixed


def test_the_nearest_order_is_named():
    with pytest.raises(EngineError, match=r"no order of batches 'shufled'. Did you mean 'shuf"):
        epoch_order(LENGTHS, 16, 1, 0, "shufled")


@pytest.mark.parametrize("budget", [90, 500, 4096])
def test_evaluation_batches_keep_to_the_token_budget(budget):
    batches = list(by_tokens(LENGTHS, budget))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert all(LENGTHS[b].max() * len(b) <= max(budget, LENGTHS[b].max()) for b in batches)
    packed = list(by_tokens(LENGTHS, budget, padded=False))
    assert sorted(np.concatenate(packed)) == list(range(1000))
    sizes = [LENGTHS[b].sum() for b in packed]
    assert all(n <= max(budget, LENGTHS[b].max()) for n, b in zip(sizes, packed, strict=True))
    assert len(packed) <= len(batches)


def test_segments_come_back_from_disk_as_they_were(tmp_path):
    data = Segments.of([[7, 8, 9], [5, 6, 7, 8]], answers=[2, 1], labels=[1, 0])
    data.save(tmp_path / "a.safetensors")
    data.save(tmp_path / "b.safetensors")
    again = Segments.load(tmp_path / "a.safetensors")
    assert again[1].tolist() == [5, 6, 7, 8]
    assert again.labels.tolist() == [1, 0]
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
