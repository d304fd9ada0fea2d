"""The bench lends a base and takes it back only with the bits that it had."""

import pytest
import torch

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.stages import Bench


@pytest.fixture
def ref(tiny_folder):
    return f"path:{tiny_folder}"


def test_a_base_is_loaded_once_and_lent_again(ref):
    bench = Bench()
    with bench.base(ref, "digest", 0, changes=False) as first:
        method = load("smalltune.methods", "lora")()
        method.attach(first)
        method.detach(first)
    with bench.base(ref, "digest", 1, changes=False) as second:
        assert second is first
    assert bench.held() == {"digest"}


def test_a_frozen_base_that_comes_back_changed_is_an_error(ref):
    bench = Bench()
    with (
        pytest.raises(EngineError, match=r"the frozen base .* came back with other weights"),
        bench.base(ref, "digest", 0, changes=False) as model,
        torch.no_grad(),
    ):
        next(model.parameters())[0, 0] += 1e-6
    assert bench.held() == set()


def test_a_base_that_a_method_trains_itself_is_loaded_anew(ref):
    bench = Bench()
    with bench.base(ref, "digest", 0, changes=True) as first, torch.no_grad():
        next(first.parameters()).zero_()
    with bench.base(ref, "digest", 0, changes=False) as second:
        assert second is not first
        assert next(second.parameters()).abs().sum() > 0


def test_after_an_error_the_base_is_not_kept(ref):
    bench = Bench()
    with pytest.raises(ZeroDivisionError), bench.base(ref, "digest", 0, changes=False):
        raise ZeroDivisionError
    assert bench.held() == set()


def test_a_bare_configuration_draws_its_weights_from_the_seed(tiny_config):
    from smalltune.models.loading import fingerprint

    prints = []
    for seed in (0, 0, 1):
        with Bench().base(f"config:{tiny_config}", "digest", seed, changes=False) as model:
            prints.append(fingerprint(model))
    assert prints[0] == prints[1] != prints[2]
