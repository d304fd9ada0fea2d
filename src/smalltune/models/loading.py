"""Loading: a base and its tokeniser through Transformers; safetensors only, no remote code."""

import hashlib
import json
from pathlib import Path
from typing import Any

from smalltune.core.errors import ModelError

__all__ = ["decoder_and_head", "fingerprint", "load_model", "load_tokeniser"]


def load_model(folder: Path, *, scheme: str = "path", seed: int = 0) -> Any:
    """Return the causal language model of a folder in float32, in evaluation mode, all frozen.

    With scheme "config" the weights are drawn at random from `seed`. Raises ModelError for a
    folder without safetensors, a truncated file, or a class that Transformers does not have.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        if scheme == "config":
            torch.manual_seed(seed)
            model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False
            )
            model = model.float()
        else:
            _refuse_pickles(folder)
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
            )
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{folder}: this checkpoint cannot be loaded: {reason}") from None
    model.requires_grad_(False)
    model.config.use_cache = False
    return model.eval()


def load_tokeniser(folder: Path) -> Any:
    """Return the fast tokeniser of a folder; raises ModelError when there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, use_fast=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{folder}: this tokeniser cannot be loaded: {reason}") from None


def decoder_and_head(model: Any) -> tuple[Any, Any]:
    """Return the part that makes hidden states and the output head, so that each runs alone."""
    return model.get_decoder(), model.get_output_embeddings()


def fingerprint(model: Any) -> str:
    """Return the SHA-256 over names, shapes and bits of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        bits = tensor.detach().cpu().contiguous().view(-1)
        import torch

        digest.update(bits.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _refuse_pickles(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = [p.name for p in folder.glob("*.bin")] + [p.name for p in folder.glob("*.pt*")]
    if pickles:
        raise ModelError(
            f"{folder}: only {pickles[0]}, a pickle, which can run code when read. "
            "Save the model as safetensors (`model.save_pretrained(folder)`)"
        )
    config = json.loads((folder / "config.json").read_text())
    name = config.get("model_type", "model")
    raise ModelError(f"{folder}: a {name} configuration without *.safetensors weights")
