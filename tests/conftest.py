"""Fixtures that several rooms share: a tiny model with a real tokeniser, and its folder."""

import json
import os
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # tiny models: a second thread only waits for the first

LONG = ("whole", "bases", "hub")
EMBEDDED = Path(__file__).parent.parent / "src" / "smalltune" / "embedded"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the rooms of long tests, so that no worker ends alone with one of their files."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer Llama and the embedded base's tokeniser."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((EMBEDDED / "models" / "micro-llama" / name).read_bytes())
    return folder


@pytest.fixture
def tiny(tiny_folder: Path):
    """The tiny model, loaded anew."""
    from smalltune.models.loading import load_model

    return load_model(tiny_folder)


@pytest.fixture
def tiny_config(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny model's configuration and tokeniser without weights."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_folder / name).read_bytes())
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "llama"
    return tmp_path
