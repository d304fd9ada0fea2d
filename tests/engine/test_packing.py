import numpy as np
import pytest
import torch
from engine.plainly import BATCHES, FAMILIES, LEAN, built, some, states_of

from smalltune.core.plugins import load
from smalltune.engine import attention
from smalltune.engine.endings import fed_tokens, pack_endings
from smalltune.engine.forward import hidden_at
from smalltune.engine.layout import cut, layout_of
from smalltune.engine.packing import pack, pack_prompts
from smalltune.engine.segments import Segments

PAIR = Segments.of([[5, 6, 7, 8], [7, 8, 9]], answers=[1, 2], labels=[0, 0])


def test_read_points_at_the_token_before_each_target():
    packed = pack(PAIR, [0, 1], "cpu")
    assert packed.ids.tolist() == [7, 8, 5, 6, 7]
    assert packed.positions.tolist() == [0, 1, 0, 1, 2]
    assert packed.ids[packed.read].tolist() == [8, 5, 6, 7]
    assert packed.targets.tolist() == [9, 6, 7, 8]
    assert (packed.items, packed.lengths) == ((1, 0), (2, 3))
    assert packed.owners.tolist() == [0, 1, 1, 1]


def test_of_a_prompt_every_token_is_fed_and_the_last_read():
    packed = pack_prompts(PAIR, [0, 1], "cpu", skip=1)
    assert packed.ids.tolist() == [8, 9, 6, 7, 8]
    assert packed.positions.tolist() == [1, 2, 1, 2, 3]
    assert packed.ids[packed.read].tolist() == [9, 8]


def test_what_has_nothing_to_predict_is_left_out():
    data = Segments.of([[4], [5, 6], [7, 8]], answers=[0, 2, 1], labels=[0, 0, 0])
    packed = pack(data, [0, 1, 2], "cpu")
    assert (packed.items, packed.targets.tolist()) == ((2,), [8])


def test_endings_branch_off_their_prompt():
    endings = [[[1, 2], [3]], [[1, 4, 5], [6, 7]]]
    packed, asked = pack_endings(PAIR, endings, [0, 1], "cpu")
    assert packed.ids.tolist() == [5, 6, 7, 8, 1, 7, 8, 9, 1, 4, 6]
    assert packed.positions.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3]
    assert packed.branches.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2]
    before = packed.ids[packed.read][asked.rows].tolist()
    found = list(zip(asked.owners, asked.which, before, asked.targets, strict=True))
    assert found == [
        (0, 0, 8, 1), (0, 1, 8, 3), (0, 0, 1, 2),
        (1, 0, 9, 1), (1, 1, 9, 6), (1, 0, 1, 4), (1, 0, 4, 5), (1, 1, 6, 7),
    ]  # fmt: skip
    assert fed_tokens(PAIR, endings).tolist() == [5, 6]


@pytest.mark.parametrize("heads", [1, 4, 14, 32])
def test_cuts_part_ascending_lengths_into_runs(heads):
    rng = np.random.default_rng(0)
    for _ in range(20):
        lengths = np.sort(rng.integers(1, rng.integers(2, 400), size=rng.integers(1, 60)))
        runs = cut(lengths, heads)
        assert [first for first, _ in runs] == [0, *(after for _, after in runs[:-1])]
        assert runs[-1][1] == len(lengths)
        assert not any(lengths[first - 1] == lengths[first] for first, _ in runs[1:])


def test_no_other_partition_is_cheaper_by_the_stated_price():
    from itertools import pairwise, product

    from smalltune.engine.layout import CALL, MOVE

    def price(runs, lengths, heads):
        total = 0.0
        for first, after in runs:
            part = lengths[first:after]
            cells = len(part) * part[-1]
            moved = 0 if part[0] == part[-1] else cells + part.sum()
            total += CALL + heads * (cells * part[-1] + MOVE * moved)
        return total

    lengths, heads = np.array([3, 9, 20, 21, 60, 100, 180]), 4
    prices = []
    for choice in product([False, True], repeat=len(lengths) - 1):
        bounds = [0, *(i + 1 for i, here in enumerate(choice) if here), len(lengths)]
        prices.append(price(list(pairwise(bounds)), lengths, heads))
    assert price(cut(lengths, heads), lengths, heads) == min(prices)


def test_equal_lengths_are_a_grid_already():
    layout = layout_of(pack(some([9, 9, 9]), range(3), "cpu"), heads=4)
    (block,) = layout.blocks
    assert block.queries.cells is block.keys.cells is block.allowed is None
    assert (block.queries.rows, block.queries.width) == (3, 8)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("route", "name"),
    [("lean", n) for n in LEAN] + [(r, n) for r in ("packed", "padded") for n in FAMILIES],
)
def test_hidden_states_are_those_of_each_segment_alone(route, name, batch):
    model, data = built(name).eval(), some(BATCHES[batch])
    packed = pack(data, range(len(data)), "cpu")
    alone = states_of(model, data)
    read = [
        alone[packed.items[owner]][packed.positions[place]]
        for owner, place in zip(packed.owners.tolist(), packed.read.tolist(), strict=True)
    ]
    with torch.no_grad():
        found = hidden_at(model, packed, route=route)
    assert float((found - torch.stack(read)).norm() / torch.stack(read).norm()) < 1e-5


@pytest.mark.parametrize("route", ["lean", "packed", "padded"])
def test_a_segment_does_not_see_its_neighbours(route):
    model, own = built("micro-llama").eval(), [11, 12, 13, 14, 15, 16, 17]
    found = []
    for before in ([1, 2, 3], [9, 8, 7]):
        packed = pack_prompts(Segments.of([before, own], [0, 0], [0, 0]), [0, 1], "cpu")
        with torch.no_grad():
            found.append(hidden_at(model, packed, route=route)[1])
    assert torch.equal(*found)


@pytest.mark.parametrize("batch", BATCHES)
def test_a_kernel_for_packed_rows_is_told_where_segments_begin_and_end(batch, monkeypatch):
    """The kernel as its documentation has it: causal, queries aligned with the last keys."""

    def kernel(q, k, v, ends, key_ends, longest, longest_key, *, scale, window_size, enable_gqa):
        assert (window_size, longest) == ((-1, 0), longest_key)
        done = []
        for i in range(len(ends) - 1):
            asked, seen = slice(*ends[i : i + 2]), slice(*key_ends[i : i + 2])
            rows, keys = (states.transpose(0, 1) for states in (q[asked], k[seen]))
            allowed = torch.ones(rows.shape[1], keys.shape[1], dtype=torch.bool)
            allowed = allowed.tril(keys.shape[1] - rows.shape[1])
            found = torch.nn.functional.scaled_dot_product_attention(
                rows[None], keys[None], v[seen].transpose(0, 1)[None],
                attn_mask=allowed, scale=scale, enable_gqa=enable_gqa,
            )  # fmt: skip
            done.append(found[0].transpose(0, 1))
            assert keys.shape[1] <= longest
        return torch.cat(done)

    model, data = built("micro-qwen").eval(), some(BATCHES[batch])
    packed = pack(data, range(len(data)), "cpu")
    with torch.no_grad():
        expected = hidden_at(model, packed)
        monkeypatch.setattr(attention, "_variable_length", lambda q, v: kernel)
        torch.testing.assert_close(hidden_at(model, packed), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("front", [0, 20])
@pytest.mark.parametrize(
    ("route", "name"), [("lean", "micro-qwen"), ("packed", "micro-qwen"), ("lean", "micro-llama")]
)
def test_under_autocast_queries_reach_the_choice_of_a_kernel_in_its_format(
    route, name, front, monkeypatch
):
    met, plain = [], torch.nn.functional.scaled_dot_product_attention
    model, data = built(name).eval(), some([9, 40, 12])
    if front:
        load("smalltune.methods", "prefix_tuning")(tokens=front).attach(model)
    packed = pack(data, range(3), "cpu")

    def gate(q, v):
        met.append((q.dtype, v.dtype))

    def attended(*states, **more):
        met.append(tuple(each.dtype for each in states))
        return plain(*states, **more)

    monkeypatch.setattr(attention, "_variable_length", gate)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attended)
    with torch.no_grad():
        expected = hidden_at(model, packed, route=route)
        assert met and {kind for kinds in met for kind in kinds} == {torch.float32}
        met.clear()
        with torch.autocast("cpu", torch.bfloat16):
            found = hidden_at(model, packed, route=route)
    assert met and {kind for kinds in met for kind in kinds} == {torch.bfloat16}
    assert any(len(kinds) == 2 for kinds in met) != bool(front)
    assert float((found - expected).norm() / expected.norm()) < 0.1
