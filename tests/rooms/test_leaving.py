"""What a method leaves of itself on a base that it was taken off: nothing."""

import gc
import weakref
from pathlib import Path
from tempfile import mkdtemp

import pytest
from rooms.pairs import PAIRS, base_of, fit

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
HAS = ("_parameters", "_buffers", "_modules")


def anatomy(model):
    """Return of each module its class, its attributes, its hooks and in which order it has what."""
    return {
        name: (
            type(module),
            sorted(vars(module)),
            [len(getattr(module, hooks)) for hooks in HOOKS],
            [list(getattr(module, parts)) for parts in HAS],
            module.training,
        )
        for name, module in model.named_modules()
    }


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_a_detached_method_leaves_nothing_behind(method, family):
    model = base_of(method, family)
    before, own = anatomy(model), {id(p) for p in model.parameters()}
    method().attach(model)
    added = [weakref.ref(p) for p in model.parameters() if id(p) not in own]
    method().detach(model)
    gc.collect()
    assert not any(ref() is not None for ref in added)
    assert {id(p) for p in model.parameters()} == own
    assert anatomy(model) == before
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_nothing_of_a_training_stays_when_its_method_is_detached(method, family):
    plain = base_of(method, family)
    before, numbers = anatomy(plain), sum(p.numel() for p in plain.parameters())
    model, _ = fit(method(), family, steps=2)
    method().save(model, Path(mkdtemp()))
    method().detach(model)
    assert anatomy(model) == before
    assert sum(p.numel() for p in model.parameters()) == numbers
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_nothing_is_said_on_the_console_meanwhile(method, family, capfd, recwarn):
    model = base_of(method, family)
    method().attach(model)
    method().detach(model)
    said = [str(each.message) for each in recwarn]
    assert not any("peft_config" in text or "Unsupported layer" in text for text in said)
    assert "Loading weights" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_a_loaded_method_leaves_nothing_behind_either(method, family):
    model, folder = base_of(method, family), Path(mkdtemp())
    before = anatomy(model)
    method().attach(model)
    method().save(model, folder)
    method().detach(model)
    method().load(model, folder)
    method().detach(model)
    assert anatomy(model) == before
