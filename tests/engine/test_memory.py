"""Micro-batches: where a batch is cut, what happens when memory does not suffice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.engine import accumulation
from smalltune.engine.accumulation import Accumulation
from smalltune.engine.attention import Unfit
from smalltune.engine.dropout import Dropout
from smalltune.engine.forward import answer_loss, loss_and_tokens
from smalltune.engine.memory import (
    TRAINED_BYTES,
    Budget,
    activation_bytes,
    budget_for,
    free_memory,
    is_out_of_memory,
    largest_power,
    too_large,
)
from smalltune.engine.packing import pack
from smalltune.engine.precision import precision
from smalltune.engine.routes import route_of
from smalltune.engine.segments import Segments

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


def some(n=16, longest=40, seed=0):
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(1, 200, size=rng.integers(6, longest)) for _ in range(n)]
    return Segments.of(sequences, [int(rng.integers(1, 6)) for _ in sequences], [0] * n)


def accumulating(model, data, budget, **more):
    cast = precision("float32", "cpu")
    return Accumulation(model, data, budget, Dropout(0), cast=cast, **more)


def gradients(model, data, budget, **more):
    """Return the loss and the gradients of one batch, and what was said and found."""
    model.requires_grad_(True).train()
    model.zero_grad()
    said = []
    gradient = accumulating(model, data, budget, tell=said.append, **more)
    try:
        loss, _, _ = gradient(0, np.arange(len(data)))
    finally:
        gradient.close()
    grads = {n: p.grad.clone() for n, p in model.named_parameters()}
    return loss, grads, said, gradient.budget


def assert_alike(one, other):
    assert other[0] == pytest.approx(one[0], rel=1e-6)
    size = max(float(g.abs().max()) for g in one[1].values())
    for name, expected in one[1].items():
        torch.testing.assert_close(other[1][name], expected, rtol=1e-5, atol=1e-6 * size)


def limited(monkeypatch, tokens, error=ERRORS[0], layers_at_a_time=None):
    """Let more than `tokens` at a time run out of memory after their loss was computed."""
    calls = []

    def loss(model, packed, *, total):
        calls.append(len(packed.ids))
        found = loss_and_tokens(model, packed, total=total)
        checkpointing = model.model.layers[0].gradient_checkpointing
        if len(packed.ids) > (layers_at_a_time if checkpointing and layers_at_a_time else tokens):
            raise error
        return found

    monkeypatch.setattr(accumulation, "loss_and_tokens", loss)
    return calls


@pytest.mark.parametrize("tokens", [1, 40, 100, 300])
def test_gradients_do_not_depend_on_the_micro_batch(tiny, tokens):
    data = some()
    whole = gradients(tiny, data, Budget(1 << 20))
    assert_alike(whole, gradients(tiny, data, Budget(tokens)))


@pytest.mark.parametrize("tokens", [1, 40, 100, 300])
def test_micro_batches_hold_every_segment_once_and_keep_to_the_budget(tiny, tokens):
    data = some()
    tiny.requires_grad_(True)
    parts = accumulating(tiny, data, Budget(tokens)).parts(np.arange(16)[::-1])
    assert sorted(np.concatenate(parts)) == list(range(16))
    fed = data.lengths - 1
    assert all(fed[part].sum() <= max(tokens, fed[part].max()) for part in parts)


def test_rows_that_must_be_padded_count_with_their_padding(tiny):
    data = some()
    hook = tiny.get_decoder().register_forward_pre_hook(lambda module, given: None)
    parts = accumulating(tiny, data, Budget(100)).parts(np.arange(16))
    fed = data.lengths - 1
    assert all(fed[part].max() * len(part) <= max(100, fed[part].max()) for part in parts)
    hook.remove()
    assert len(accumulating(tiny, data, Budget(100)).parts(np.arange(16))) < len(parts)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_out_of_memory_halves_the_micro_batch_and_goes_on(tiny, monkeypatch, error):
    data = some()
    whole = gradients(tiny, data, Budget(1 << 20))
    calls = limited(monkeypatch, 150, error)
    found = gradients(tiny, data, Budget(1 << 20))
    assert_alike(whole, found)
    fits = found[3]
    assert fits.tokens <= 150 < calls[0]
    assert fits.halved == len(found[2]) >= 1
    assert found[2][-1] == f"out of memory: at most {fits.tokens} tokens at a time from here on"


def test_a_step_that_ran_out_in_its_middle_leaves_nothing_behind(tiny, monkeypatch):
    data = some()
    whole = gradients(tiny, data, Budget(1 << 20))
    calls = []

    def loss(model, packed, *, total):
        calls.append(len(packed.ids))
        torch.rand(1)
        if len(calls) == 2:
            raise ERRORS[0]
        return loss_and_tokens(model, packed, total=total)

    monkeypatch.setattr(accumulation, "loss_and_tokens", loss)
    began = []
    before = torch.get_rng_state()
    found = gradients(tiny, data, Budget(200), before=began.append)
    assert_alike(whole, found)
    assert len(began) == 2
    torch.set_rng_state(before)
    torch.rand(len(calls) - 2)
    state = torch.get_rng_state()
    torch.set_rng_state(before)
    gradients(tiny, data, found[3])
    assert torch.equal(torch.get_rng_state(), state)


def test_one_segment_that_does_not_fit_is_computed_layer_by_layer(tiny, monkeypatch):
    data = some()
    whole = gradients(tiny, data, Budget(1 << 20))
    limited(monkeypatch, 20, layers_at_a_time=1000)
    found = gradients(tiny, data, Budget(1 << 20))
    assert_alike(whole, found)
    assert found[3].checkpointing
    assert found[2][-1] == "little memory: gradient checkpointing computes each layer twice"
    assert not any(layer.gradient_checkpointing for layer in tiny.model.layers)


def test_what_does_not_fit_at_all_ends_in_one_message(tiny, monkeypatch):
    limited(monkeypatch, 20)
    said = r"memory does not suffice for one text of \d+ tokens at a time: lower `max_length`"
    with pytest.raises(EngineError, match=said):
        gradients(tiny, some(), Budget(1 << 20))


def test_another_error_is_not_taken_for_a_lack_of_memory(tiny, monkeypatch):
    assert not any(map(is_out_of_memory, [RuntimeError("shapes"), ValueError("out of memory")]))
    limited(monkeypatch, 20, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradients(tiny, some(), Budget(1 << 20))


def test_a_real_allocation_that_fails_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 52)
    assert is_out_of_memory(caught.value)


def test_a_budget_that_an_interrupted_run_has_found_is_taken_over(tiny):
    gradient = accumulating(tiny, some(), Budget(512))
    gradient.use(Budget(64, checkpointing=True, halved=3))
    assert gradient.budget == Budget(64, checkpointing=True, halved=3)
    assert all(layer.gradient_checkpointing for layer in tiny.model.layers)
    gradient.use(replace(gradient.budget, checkpointing=False))
    assert not any(layer.gradient_checkpointing for layer in tiny.model.layers)


# How much fits


@pytest.mark.parametrize(("method", "options"), [("full", {}), ("lora", {"dropout": 0.1})])
@pytest.mark.parametrize("route", ["lean", "packed"])
def test_no_more_is_kept_for_the_backward_than_was_estimated(tiny, method, options, route):
    load("smalltune.methods", method)(**options).attach(tiny)
    tiny.train()
    data = Segments.of([np.arange(1, 65)] * 16, [1] * 16, [0] * 16)
    packed = pack(data, range(16), "cpu")
    own = {p.untyped_storage().data_ptr() for p in tiny.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = answer_loss(tiny, packed, route=route)
    each = sum(kept.values()) / len(packed.ids)
    assert loss.requires_grad
    assert each <= activation_bytes(tiny) <= 5 * each
    assert activation_bytes(tiny, checkpointing=True) < activation_bytes(tiny)


def test_with_enough_memory_the_budget_does_not_follow_it(tiny):
    budgets = {budget_for(tiny, 256, free=free << 30) for free in (4, 5, 64)}
    assert len(budgets) == 1
    assert not budgets.pop().checkpointing


def test_with_little_memory_the_budget_falls_and_layers_are_computed_twice(tiny):
    load("smalltune.methods", "lora")().attach(tiny)
    free = [1 << n for n in range(10, 34)]
    found = [budget_for(tiny, 64, free=bytes_) for bytes_ in free]
    whole = [budget.tokens for budget in found if not budget.checkpointing]
    assert whole == sorted(whole)
    assert [b.checkpointing for b in found] == sorted(
        (b.checkpointing for b in found), reverse=True
    )
    assert found[0].checkpointing and found[0].tokens >= 1


def test_a_large_gradient_is_added_to_by_larger_micro_batches(tiny):
    frozen = budget_for(tiny, 64, free=1 << 36).tokens
    tiny.requires_grad_(True)
    trained = sum(p.numel() for p in tiny.parameters())
    more = (budget_for(tiny, 64, free=1 << 36).tokens - frozen) * activation_bytes(tiny)
    assert abs(more - TRAINED_BYTES * trained) <= activation_bytes(tiny)


def test_what_is_trained_leaves_less_for_activations(tiny):
    free = 3_000_000
    frozen = budget_for(tiny, 64, free=free)
    tiny.requires_grad_(True)
    assert budget_for(tiny, 64, free=free).tokens < frozen.tokens


def test_powers_of_two_are_never_above():
    assert [largest_power(n) for n in (0, 1, 2, 3, 4, 1023, 1024.9)] == [1, 1, 2, 2, 4, 512, 1024]


def write_group(folder, *, limit, used, cached, old=False):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file")
    most, now, files = names if old else ("memory.max", "memory.current", "inactive_file")
    (folder / most).write_text(f"{limit}\n")
    (folder / now).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{files} {cached}\n")


def test_a_container_or_a_batch_job_may_have_less_than_the_machine(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/job/step\n")
    whole = free_memory(tmp_path / "none", tmp_path / "absent")
    assert whole > 1 << 20
    write_group(tmp_path / "groups" / "job", limit=5000, used=4000, cached=100)
    write_group(tmp_path / "groups" / "job" / "step", limit="max", used=4000, cached=100)
    assert free_memory(tmp_path / "groups", own) == 1100
    write_group(tmp_path / "groups", limit=4000, used=3900, cached=0)
    assert free_memory(tmp_path / "groups", own) == 100


def test_control_groups_of_the_first_version_count_too(tmp_path):
    own = tmp_path / "own"
    own.write_text("12:cpu,cpuacct:/\n7:memory:/docker/x\n0::/\n")
    folder = tmp_path / "groups" / "memory" / "docker" / "x"
    write_group(folder, limit=900, used=1000, cached=50, old=True)
    assert free_memory(tmp_path / "groups", own) == 0


@pytest.mark.parametrize("route", ["lean", "packed", "padded", "packed, then padded"])
def test_what_is_computed_counts_the_padding_of_each_micro_batch(tiny, route, monkeypatch):
    def unfit(*_, **__):
        raise Unfit("something that the trial could not meet")

    data = some()
    if route != "lean":
        tiny.model.layers[0].register_forward_hook(lambda *_: None)
    if route == "padded":
        tiny.model.register_forward_pre_hook(lambda *_: None)
    tiny.requires_grad_(True).train()
    gradient = accumulating(tiny, data, Budget(100))
    assert route_of(tiny) == route.partition(",")[0]
    parts = gradient.parts(np.arange(16))
    if "then" in route:
        monkeypatch.setattr("smalltune.engine.forward.packed_states", unfit)
    _, work, computed = gradient(0, np.arange(16))
    fed = data.lengths - 1
    assert work.tokens == fed.sum()
    each = sum(len(part) * fed[part].max() for part in parts)
    assert computed == (each if "padded" in route else fed.sum())
    assert fed.sum() < each < len(fed) * fed.max()


@pytest.mark.parametrize(
    ("room", "trained", "advised"),
    [
        (1.9e9, 0, set()),
        (3.9e9, 0, {"bfloat16"}),
        (3.9e9, 10**9, set()),
        (4.1e9, 10**9, {"by lora"}),
    ],
)
def test_what_would_not_be_enough_either_is_not_advised(room, trained, advised):
    said = too_large(10**9, trained, room=int(room))
    assert {word for word in ("bfloat16", "by lora") if word in said} == advised
