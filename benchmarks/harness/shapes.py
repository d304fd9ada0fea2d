"""Shapes: the models that are measured, and the tokenisers that make their tokens.

Where only the shape counts (speed, memory), the weights are random. `micro` is the base that
comes with smalltune, trained. `../shared/checkpoints` holds tokenisers and configurations of
public models without their weights; a folder of the same files from the hub serves as well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["SHAPES", "Shape", "sizes"]


@dataclass(frozen=True)
class Shape:
    """A model: `config` of a Llama or Qwen2 form, or the files in a folder of `checkpoints`.

    Beside a folder, `config` holds the sizes of its model, which the report reads.
    `tokeniser` is a folder there. `gpu` marks what is only measured on a GPU.
    """

    name: str
    title: str
    tokeniser: str = ""
    folder: str = ""
    kind: str = "llama"
    config: Mapping[str, Any] = field(default_factory=dict)
    gpu: bool = False

    def model(self, checkpoints: Path) -> Any:
        """Return the model in float32, frozen, in evaluation mode."""
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        from smalltune.models.loading import load_model

        if not self.tokeniser:
            return load_model(self._embedded())
        if self.folder:
            return load_model(self._in(checkpoints, self.folder), scheme="config", seed=0)
        torch.manual_seed(0)
        config = AutoConfig.for_model(self.kind, **self.config, use_cache=False)
        return AutoModelForCausalLM.from_config(config).float().requires_grad_(False).eval()

    def words(self, checkpoints: Path) -> Any:
        """Return the tokeniser; its padding token is the end of a text where it names none."""
        from smalltune.models.loading import load_tokeniser

        folder = self._in(checkpoints, self.tokeniser) if self.tokeniser else self._embedded()
        tokeniser = load_tokeniser(folder)
        if tokeniser.pad_token is None:
            tokeniser.pad_token = tokeniser.eos_token
        return tokeniser

    def _embedded(self) -> Path:
        from smalltune.models.sources import embedded_folder

        return embedded_folder() / "models" / "micro-llama"

    def _in(self, checkpoints: Path, name: str) -> Path:
        folder = checkpoints / name
        if not (folder / "tokenizer.json").is_file():
            raise FileNotFoundError(
                f"{folder}: no tokenizer.json; name a folder that holds {name} with --checkpoints"
            )
        return folder


def _llama(width: int, inner: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": 32000,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        **more,
    }


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("micro", "micro-llama (2.8M)"),
        Shape("15m", "Llama, 15M", "TinyLlama-1.1B", config=_llama(288, 768, 6, 6)),
        Shape("42m", "Llama, 42M", "TinyLlama-1.1B", config=_llama(512, 1376, 8, 8)),
        Shape("110m", "Llama, 110M", "TinyLlama-1.1B", config=_llama(768, 2048, 12, 12)),
        Shape(
            "0.5b",
            "Qwen2.5-0.5B",
            "Qwen2.5-0.5B",
            "Qwen2.5-0.5B",
            config={
                "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
                "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
            },
        ),
        Shape(
            "1b",
            "Llama-3.2-1B",
            "TinyLlama-1.1B",
            config=_llama(2048, 8192, 16, 32, num_key_value_heads=8, vocab_size=128256),
            gpu=True,
        ),
        Shape(
            "1.5b",
            "DeepSeek-R1-Distill-Qwen-1.5B",
            "Qwen2.5-0.5B",
            kind="qwen2",
            config=_llama(
                1536, 8960, 28, 12, num_key_value_heads=2, vocab_size=151936,
                tie_word_embeddings=False,
            ),
            gpu=True,
        ),
    )
}  # fmt: skip


@cache
def sizes(name: str) -> Mapping[str, int]:
    """Return a shape's vocabulary, hidden size, depth, and the weights of its layers and head."""
    from smalltune.models.sources import embedded_folder

    shape = SHAPES[name]
    config: Mapping[str, Any] = shape.config
    if not shape.tokeniser:
        config = json.loads(
            (embedded_folder() / "models" / "micro-llama" / "config.json").read_text()
        )
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    queries, keys = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    layer = 2 * hidden * (queries + keys) + 3 * hidden * config["intermediate_size"]
    return {
        "vocabulary": vocabulary,
        "hidden": hidden,
        "depth": config["num_hidden_layers"],
        "layers": layer * config["num_hidden_layers"],
        "head": hidden * vocabulary,
    }
