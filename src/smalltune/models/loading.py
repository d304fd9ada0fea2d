"""Loading: a base and its tokeniser through Transformers; safetensors only, no remote code.

Whatever format a checkpoint has (float16, bfloat16, several files), the weights are float32 here,
unless a base is to be held in bfloat16 (`engine.held`); `engine.precision` says in which format a
model computes. A tied head needs no tensor of its own;
where a checkpoint that says "tied" stores another head, that head is used, as Transformers does.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.models.sources import called

__all__ = ["empty_model", "fingerprint", "load_model", "load_tokeniser"]

CAUSAL = ("ForCausalLM", "LMHeadModel", "CausalLM")


def load_model(folder: Path, *, scheme: str = "path", seed: int = 0, dtype: str = "float32") -> Any:
    """Return the causal language model of a folder in `dtype`, in evaluation mode, all frozen.

    With scheme "config" the weights are drawn at random from `seed`, always in float32. Raises
    ModelError for a folder without safetensors, a truncated file, a tensor that is missing,
    quantised weights, or a class that Transformers does not have.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    unfit = (SafetensorError, StrictDataclassError, OSError, ValueError, KeyError, RuntimeError)
    try:
        config = _configuration(folder)
        if scheme == "config":
            torch.manual_seed(seed)
            model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False
            )
            model = model.float()
        else:
            _refuse_pickles(folder)
            with _without_bars():
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    folder,
                    config=config,
                    dtype=getattr(torch, dtype),
                    use_safetensors=True,
                    trust_remote_code=False,
                    local_files_only=True,
                    output_loading_info=True,
                )
            model, found = loaded
            _refuse_holes(folder, sorted(found["missing_keys"]))
    except unfit as error:
        raise _unreadable(folder, "checkpoint", error) from None
    model.requires_grad_(False)
    model.config.use_cache = False
    return model.eval()


def empty_model(folder: Path) -> Any:
    """Return the model of a folder's configuration with names and shapes and no numbers.

    Raises ModelError for a configuration of which no model can be made.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoModelForCausalLM

    try:
        config = _configuration(folder)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False
            )
    except (StrictDataclassError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(folder, "configuration", error) from None
    return model.requires_grad_(False)


def load_tokeniser(folder: Path) -> Any:
    """Return the fast tokeniser of a folder.

    Raises ModelError when there is none, or when it has tokens for which the model of the same
    folder has no row in its embedding. Rows without a token (padded embeddings) are fine.
    """
    from transformers import AutoTokenizer

    _refuse_code(folder, "tokenizer_config.json")
    try:
        tokeniser = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, use_fast=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unreadable(folder, "tokeniser", error) from None
    if not getattr(tokeniser, "is_fast", False):
        raise ModelError(f"{called(folder)}: no tokenizer.json, and only fast tokenisers are used")
    rows = _text_part(_json(folder / "config.json")).get("vocab_size")
    beyond = {} if rows is None else {t: i for t, i in tokeniser.get_vocab().items() if i >= rows}
    beyond.pop(tokeniser.pad_token, None)  # nothing is ever padded with it
    if beyond:
        token = min(beyond, key=lambda name: beyond[name])
        raise ModelError(
            f"{called(folder)}: the tokeniser has {token!r} as token {beyond[token]}, the model's "
            f"embedding has {rows} rows: take the model's own tokeniser, or resize its embedding"
        )
    return tokeniser


def fingerprint(model: Any) -> str:
    """Return the SHA-256 over names, shapes and bits of all parameters and buffers, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        bits = tensor.detach().cpu().contiguous().view(-1)
        import torch

        digest.update(bits.view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep Transformers' progress bars out of our own lines; afterwards they are as they were."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if shown:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _configuration(folder: Path) -> Any:
    """Return the configuration after refusing what could only be loaded wrongly."""
    from transformers import CONFIG_MAPPING, AutoConfig

    raw = _json(folder / "config.json")
    if raw.get("model_type") not in CONFIG_MAPPING:
        _refuse_code(folder, "config.json")
    if raw.get("quantization_config"):
        kind = raw["quantization_config"].get("quant_method", "quantised")
        raise ModelError(
            f"{called(folder)}: the weights are quantised ({kind}) and cannot be trained: "
            "take the checkpoint in bfloat16 or float32"
        )
    names = raw.get("architectures") or []
    if names and not any(name.endswith(CAUSAL) for name in names):
        raise ModelError(
            f"{called(folder)}: a {names[0]}, and only causal language models "
            "(...ForCausalLM) are used"
        )
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    pad, rows = getattr(config, "pad_token_id", None), getattr(config, "vocab_size", None)
    if pad is not None and rows is not None and not 0 <= pad < rows:
        config.pad_token_id = None
    return config


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    part = config.get("text_config")
    return part if isinstance(part, Mapping) else config


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON file; an empty dictionary where there is none or it is not whole."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_code(folder: Path, file: str) -> None:
    """Raise ModelError when a configuration names Python code that Transformers lacks."""
    code = _json(folder / file).get("auto_map")
    if not code:
        return
    if file == "tokenizer_config.json" and (folder / "tokenizer.json").is_file():
        return
    raise ModelError(
        f"{called(folder)}: {file} asks to run code of its own (auto_map), which is never "
        "done: take a model whose type the installed Transformers knows"
    )


def _refuse_holes(folder: Path, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"{called(folder)}: the checkpoint lacks {missing[0]}{more}, which would be drawn at "
            "random: is it whole, and does config.json belong to it?"
        )


def _unreadable(folder: Path, what: str, error: Exception) -> ModelError:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    return ModelError(f"{called(folder)}: this {what} cannot be loaded: {reason}")


def _refuse_pickles(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = [p.name for p in folder.glob("*.bin")] + [p.name for p in folder.glob("*.pt*")]
    if pickles:
        raise ModelError(
            f"{called(folder)}: only {pickles[0]}, a pickle, which can run code when read. "
            "Save the model as safetensors (`model.save_pretrained(folder)`)"
        )
    config = json.loads((folder / "config.json").read_text())
    name = config.get("model_type", "model")
    raise ModelError(f"{called(folder)}: a {name} configuration without *.safetensors weights")
