"""Checkpoints for the tests of this room, made once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models.checkpoints import checkpoint, shallow, write


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """The folder of a real checkpoint by its name."""
    return checkpoint


@pytest.fixture(scope="session")
def tokenisers(real: Callable[[str], Path]) -> Callable[[str], Any]:
    """The tokeniser of a real checkpoint by its name, loaded once."""
    from smalltune.models.loading import load_tokeniser

    kept: dict[str, Any] = {}

    def give(name: str) -> Any:
        if name not in kept:
            kept[name] = load_tokeniser(real(name))
        return kept[name]

    return give


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory, real: Callable[[str], Path]) -> Path:
    """Qwen2.5-0.5B with one layer: the real configuration and tokeniser, bfloat16, tied."""
    folder = tmp_path_factory.mktemp("qwen")
    source = real("Qwen2.5-0.5B")
    write(folder, shallow(source), source)
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True
    return folder


@pytest.fixture(scope="session")
def tinyllama(tmp_path_factory: pytest.TempPathFactory, real: Callable[[str], Path]) -> Path:
    """TinyLlama-1.1B with one layer: the real configuration and tokeniser, bfloat16, untied."""
    source = real("TinyLlama-1.1B")
    return Path(write(tmp_path_factory.mktemp("tinyllama"), shallow(source), source))


SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LATENT = {
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "moe_intermediate_size": 16,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with small random weights of a family by its name, without a tokeniser."""
    import transformers

    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    shapes: dict[str, tuple[str, dict[str, Any]]] = {
        "qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
        "qwen2-untied": ("Qwen2Config", {"tie_word_embeddings": False}),
        "qwen3": ("Qwen3Config", {"tie_word_embeddings": True, "head_dim": 16}),
        "llama2": ("LlamaConfig", {"tie_word_embeddings": False}),
        "llama3": ("LlamaConfig", {"tie_word_embeddings": True, "rope_parameters": llama3}),
        "deepseek-v2": ("DeepseekV2Config", {**LATENT, "q_lora_rank": None}),
        "deepseek-v3": ("DeepseekV3Config", {**LATENT, "q_lora_rank": 16}),
    }
    made: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            kind, more = shapes[name]
            write(made[name], getattr(transformers, kind)(**{**SMALL, **more}))
        return made[name]

    return give
