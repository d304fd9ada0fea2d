"""Small models of each family, with the architecture of the embedded bases, as folders."""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

BASES = Path(__file__).parents[2] / "bases"
FAMILIES = ("micro-llama", "micro-qwen", "micro-qwen2", "micro-deepseek")
SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 128}
SMALLER = {
    "micro-llama": {"head_dim": 12},
    "micro-qwen": {"head_dim": 16},
    "micro-qwen2": {},
    "micro-deepseek": {
        "moe_intermediate_size": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 4, "v_head_dim": 12,
    },
}  # fmt: skip


@cache
def folder_of(family, **sizes):
    """Return the folder of a family's small model, made once; with `sizes` of its own."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    written = json.loads((BASES / family / "config" / "config.json").read_text())
    kind = written.pop("model_type")
    config = AutoConfig.for_model(kind, **{**written, **SMALL, **SMALLER[family], **sizes})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    folder = Path(mkdtemp(prefix=f"{family}-"))
    model.save_pretrained(folder)
    return folder
