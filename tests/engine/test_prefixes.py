import numpy as np
import pytest
import torch
from engine.plainly import BATCHES, FAMILIES, built, some, states_of

from smalltune.engine.packing import pack
from smalltune.engine.prefixes import LEAST, prefix_of, shared_tokens
from smalltune.engine.segments import Segments

FRONT = np.random.default_rng(5).integers(1, 4096, size=50)


def behind(front, data):
    """Return the segments with `front` before each."""
    texts = [np.concatenate([front, data[i]]) for i in range(len(data))]
    return Segments.of(texts, (data.answers + len(front)).tolist(), data.labels.tolist())


def longest(segments):
    return int(segments.lengths.max())


def test_the_shared_beginning_is_found():
    texts = Segments.of([[1, 2, 3, 4], [1, 2, 3], [1, 2, 9, 9]], [1] * 3, [0] * 3)
    assert shared_tokens(texts, 9).tolist() == [1, 2]
    assert shared_tokens(texts, 1).tolist() == [1]
    assert shared_tokens(texts.take(np.array([0, 0])), 9).tolist() == [1, 2, 3, 4]
    assert shared_tokens(Segments.of([], [], []), 9).tolist() == []
    assert shared_tokens(Segments.of([[1], [2]], [0, 0], [0, 0]), 9).tolist() == []


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", FAMILIES)
def test_states_after_a_prefix_are_those_of_whole_segments(name, batch):
    model = built(name).eval()
    whole = behind(FRONT, some([n + 1 for n in BATCHES[batch]]))
    pair = whole if len(whole) > 1 else whole.take(np.array([0, 0]))
    alone = states_of(model, pair)
    with torch.no_grad():
        prefix = prefix_of(model, pair, len(FRONT), longest=longest(pair))
        assert prefix.length == len(FRONT)
        packed = pack(pair, range(len(pair)), "cpu", skip=prefix.length)
        for _ in range(2):  # a second batch finds the prefix as it was
            found = prefix.hidden_at(packed)
            expected = torch.stack(
                [
                    alone[packed.items[owner]][packed.positions[place]]
                    for owner, place in zip(packed.owners, packed.read, strict=True)
                ]
            )
            assert float((found - expected).norm() / expected.norm()) < 1e-5


def test_a_segment_keeps_a_token_of_its_own(tiny):
    same = Segments.of([FRONT, FRONT, np.append(FRONT, 7)], [1] * 3, [0] * 3)
    with torch.no_grad():
        assert prefix_of(tiny, same, 99, longest=51).length == len(FRONT) - 1


def test_a_prefix_is_computed_where_it_pays(tiny):
    long, short = (behind(FRONT[:n], some([9, 12])) for n in (LEAST, LEAST - 1))
    with torch.no_grad():
        assert prefix_of(tiny, long, 99, longest=99).length >= LEAST
        assert prefix_of(tiny, short, LEAST - 1, longest=99).length == 0
        assert prefix_of(tiny, long.take(np.array([0])), 99, longest=99).length == 0
        tiny.model.register_forward_pre_hook(lambda *_: None)
        assert prefix_of(tiny, long, 99, longest=99).length == 0


def test_a_window_shorter_than_the_segments_takes_no_prefix():
    model = built("micro-llama").eval()
    model.model.layers[0].register_forward_hook(lambda *_: None)  # hence not lean
    data = behind(FRONT, some([9, 12]))
    with torch.no_grad():
        assert prefix_of(model, data, 50, longest=62).length == 50
        model.config.sliding_window = 60
        assert prefix_of(model, data, 50, longest=62).length == 0
