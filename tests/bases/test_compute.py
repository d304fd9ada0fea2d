import json

import compute
import pytest
import torch
from measured import known, note
from parameters import BASES, built, count
from torch.utils.flop_counter import FlopCounterMode
from trained import trained


@pytest.mark.parametrize("name", [n for n in BASES if n != "micro-deepseek"])
def test_the_closed_form_is_what_torch_counts(name):
    model, length = built(name), 64
    model.set_attn_implementation("eager")  # the fused kernel's products are not counted
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.ones(1, length, dtype=torch.long), use_cache=False)
    config, active = model.config.to_dict(), count(model)["active"]
    square = compute.flops_per_token(config, active, 2 * length - 1)  # torch counts all pairs
    assert 3 * counter.get_total_flops() / length == pytest.approx(square, rel=0.01)


def test_the_mixture_computes_about_as_much_as_the_others():
    models = [built(name) for name in BASES]
    found = [compute.flops_per_token(m.config.to_dict(), count(m)["active"], 512) for m in models]
    assert max(found) < 1.05 * min(found)


def test_a_longer_context_costs_more_attention_and_nothing_else():
    config = built("micro-llama").config.to_dict()
    short, long = (compute.flops_per_token(config, 1_000_000, n) for n in (100, 300))
    assert long - short == 3 * 2 * 4 * 4 * (48 + 48) * 100


def test_the_share_of_the_peak_is_of_this_machine_and_else_unknown(workplace):
    base = trained(workplace / "micro-llama").record
    assert compute.share_of_peak(base, workplace) is None
    note(workplace, "peak", "cpu: another machine, 64 threads, float32", 1e15)
    assert compute.share_of_peak(base, workplace) is None
    made = base.made
    place = f"cpu: {made['machine']['cpu']}, {made['threads']} threads, float32"
    needed = compute.flops_per_token(base.config, base.counts["active"], 48) * base.speed
    note(workplace, "peak", place, 4 * needed)
    assert compute.share_of_peak(base, workplace) == pytest.approx(0.25)


def test_notes_keep_each_other(tmp_path):
    note(tmp_path, "a", "x", 1)
    note(tmp_path, "a", "y", [2])
    note(tmp_path, "b", "x", 3)
    assert json.loads((tmp_path / "measured.json").read_text()) == {
        "a": {"x": 1, "y": [2]}, "b": {"x": 3}
    }  # fmt: skip
    assert known(tmp_path, "c", "x") is None


def test_a_measured_peak_is_positive(monkeypatch):
    monkeypatch.setattr(compute, "SECONDS", 0.05)
    monkeypatch.setattr(compute, "SIDE", 64)
    assert compute.measure(1) > 1e6
