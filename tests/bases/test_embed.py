import shutil
from pathlib import Path

import pytest
import torch
from embed import write_weights
from parameters import BASES, built

from smalltune.methods.full import Full

CONFIGS = Path(__file__).parents[2] / "bases"


@pytest.mark.parametrize("name", BASES)
def test_transformers_finds_every_weight_of_an_embedded_base_and_no_more(name, tmp_path):
    from transformers import AutoModelForCausalLM

    shutil.copytree(CONFIGS / name / "config", tmp_path / "base")
    model = built(name)
    for buffer in (b for n, b in model.named_buffers() if n in model.state_dict()):
        buffer.copy_(torch.linspace(0.1, 0.7, len(buffer)))
    Full().save(model, tmp_path)
    write_weights(tmp_path / "model.safetensors", tmp_path / "base")
    loaded, said = AutoModelForCausalLM.from_pretrained(
        tmp_path / "base", dtype=torch.float32, output_loading_info=True
    )
    assert not any(said.values()), said
    expected = {n: p.to(torch.bfloat16).float() for n, p in model.named_parameters()}
    assert all(torch.equal(p, expected[n]) for n, p in loaded.named_parameters())
    buffers = dict(model.named_buffers())
    for name, buffer in loaded.named_buffers():
        assert torch.equal(buffer, buffers[name]), name
