"""Checkpoints of many families: real tokenisers, random weights of real or like shapes."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

CHECKPOINTS = Path(__file__).parents[3] / "shared" / "checkpoints"
TOKENISER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")


def checkpoint(name: str) -> Path:
    """Return the folder of a real checkpoint, or skip the test."""
    folder = CHECKPOINTS / name
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"../shared/checkpoints/{name} is not there")
    return folder


def draw(shape: tuple[int, ...], seed: int) -> Any:
    """Return small random numbers, a large tensor from one block said over and over."""
    import torch

    block = torch.randn(1_000_003, generator=torch.Generator().manual_seed(seed)) * 0.02
    count = math.prod(shape)
    return block.repeat(count // len(block) + 1)[:count].reshape(shape)


def write(folder: Path, config: Any, tokeniser: Path | None = None, dtype: str = "bfloat16") -> Any:
    """Write random weights of a configuration, and a tokeniser beside them; return the folder."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model = model.to(getattr(torch, dtype)).to_empty(device="cpu")
    model.tie_weights()
    for seed, (name, parameter) in enumerate(model.named_parameters()):
        shift = 1.0 if "norm" in name else 0.0
        parameter.data.copy_(draw(tuple(parameter.shape), seed) + shift)
    for name, buffer in model.named_buffers():
        if name in model.state_dict():
            buffer.copy_(torch.linspace(-1, 1, buffer.numel()).reshape(buffer.shape))
    model.save_pretrained(folder)
    for name in TOKENISER if tokeniser else ():
        if (tokeniser / name).is_file():
            (folder / name).write_bytes((tokeniser / name).read_bytes())
    return folder


def shallow(folder: Path, **narrower: int) -> Any:
    """Return a real checkpoint's configuration with one layer, and narrower where asked."""
    from transformers import AutoConfig

    raw = json.loads((folder / "config.json").read_text())
    return AutoConfig.for_model(**{**raw, "num_hidden_layers": 1, **narrower})
