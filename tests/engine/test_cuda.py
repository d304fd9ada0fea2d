"""What the engine does on CUDA alone, on a CPU with the device's answers put in its place.

That holds which way is chosen and what is asked of the device; no kernel of a GPU is run.
"""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine.plainly import built, some

from smalltune.core.errors import EngineError
from smalltune.engine import accumulation, attention, memory
from smalltune.engine.accumulation import Accumulation
from smalltune.engine.checkpoint import read_checkpoint, write_checkpoint
from smalltune.engine.dropout import Dropout
from smalltune.engine.forward import loss_and_tokens
from smalltune.engine.fused import norm
from smalltune.engine.memory import Budget
from smalltune.engine.packing import pack
from smalltune.engine.precision import precision


class OnGpu(torch.Tensor):
    """A tensor of the CPU that says it is on a GPU."""

    is_cuda = property(lambda self: True)


@pytest.fixture
def ampere(monkeypatch):
    """Let every device be of the first generation that Flash Attention takes."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    attention._kernel.cache_clear()
    yield
    attention._kernel.cache_clear()


def states(size=64, kind=torch.bfloat16, is_cuda=True):
    return SimpleNamespace(is_cuda=is_cuda, dtype=kind, shape=(9, 4, size), device="cuda")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_on_a_gpu_takes_the_kernel_for_packed_rows(ampere, kind):
    from torch.nn.attention.varlen import varlen_attn

    found = attention._variable_length(states(kind=kind), states(kind=kind))
    assert found is varlen_attn
    given = {"scale": 0.1, "window_size": (-1, 0), "enable_gqa": True}
    inspect.signature(found).bind(*"qkv", "ends", "key_ends", 9, 9, **given)  # as `attend` calls it


@pytest.mark.parametrize(
    ("q", "v"),
    [
        (states(is_cuda=False), states(is_cuda=False)),
        (states(kind=torch.float32), states(kind=torch.float32)),
        (states(192), states(128)),
        (states(264), states(264)),
        (states(36), states(36)),
    ],
    ids=["on the cpu", "float32", "values of another width", "too wide", "not by eight"],
)
def test_what_the_kernel_does_not_take_goes_without_it(ampere, q, v):
    assert attention._variable_length(q, v) is None


def test_a_gpu_before_ampere_goes_without_the_kernel(ampere, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert attention._variable_length(states(), states()) is None


def test_a_kernel_of_an_older_pytorch_is_left_alone(ampere, monkeypatch):
    def older(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False):
        raise AssertionError

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", older)
    assert attention._variable_length(states(), states()) is None


def test_what_the_kernel_takes_is_looked_up_once(ampere, monkeypatch):
    asked, plain = [], inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda f: asked.append(f) or plain(f))
    for _ in range(3):
        assert attention._variable_length(states(), states()) is not None
    assert len(asked) == 1


def test_the_norm_for_a_gpu_gives_states_and_gradients_of_the_one_for_a_cpu():
    module = built("micro-qwen").model.layers[0].input_layernorm
    module.variance_epsilon = 0.3
    drawn = torch.randn(7, len(module.weight), generator=torch.Generator().manual_seed(0))
    found = []
    for kind in (torch.Tensor, OnGpu):
        module.weight.grad = None
        given = drawn.as_subclass(kind).detach().requires_grad_(True)
        made = norm(module, given)
        assert isinstance(made, kind)
        (made * drawn.cos()).sum().backward()
        found.append([t.as_subclass(torch.Tensor) for t in (made, given.grad, module.weight.grad)])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-6)


@pytest.fixture
def dice(monkeypatch):
    """A generator in the place of the GPU's."""
    generator = torch.Generator().manual_seed(5)
    monkeypatch.setattr(torch.cuda, "get_rng_state", generator.get_state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", generator.set_state)
    return generator


def test_a_step_that_runs_out_of_memory_draws_again_what_it_drew_on_the_gpu(
    tiny, dice, monkeypatch
):
    drawn, emptied = [], []

    def loss(model, packed, *, total):
        drawn.append(float(torch.rand(1, generator=dice)))
        if len(drawn) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return loss_and_tokens(model, packed, total=total)

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(len(drawn)))
    monkeypatch.setattr(accumulation, "loss_and_tokens", loss)
    monkeypatch.setattr(accumulation, "pack", lambda data, part, _: pack(data, part, "cpu"))
    data, cast = some([9, 20, 7, 30]), precision("float32", "cpu")
    step = Accumulation(tiny.requires_grad_(True), data, Budget(1 << 20), Dropout(0), cast=cast)
    step.device = "cuda"
    step(0, np.arange(4))
    first, again, *rest = drawn
    assert again == first and rest and first not in rest
    assert emptied == [1]


def test_a_checkpoint_holds_the_random_state_of_the_gpu(tiny, dice, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    rule = torch.optim.AdamW(tiny.parameters())
    write_checkpoint(tmp_path, tiny, rule, {"step": 3}, {})
    expected = torch.rand(4, generator=dice)
    progress, _ = read_checkpoint(tmp_path, tiny, rule)
    assert progress["step"] == 3
    assert torch.equal(torch.rand(4, generator=dice), expected)


def test_memory_that_pytorch_keeps_unused_on_a_gpu_is_free_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 500)
    monkeypatch.setattr(memory, "free_memory", lambda: 5)
    assert memory._free_on(torch.device("cuda")) == 1200
    assert memory._free_on(torch.device("cpu")) == 5


def test_bfloat16_is_asked_of_the_gpu_and_refused_where_it_has_none(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda device, **how: asked.append((device, how)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    precision("bfloat16", "cuda")
    assert asked == [("cuda", {"dtype": torch.bfloat16})]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(EngineError, match="set `dtype: float32` and lock again"):
        precision("bfloat16", "cuda")
    precision("float32", "cuda")
    assert asked[1:] == [("cuda", {"enabled": False})]
