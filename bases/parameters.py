"""Count the bases' parameters: `python bases/parameters.py` prints the table of the cards."""

from pathlib import Path
from typing import Any

BASES = ("micro-llama", "micro-qwen", "micro-qwen2", "micro-deepseek")


def count(model: Any) -> dict[str, int]:
    """Return all parameters, those besides the embeddings, and of these the active ones.

    Active are the ones that one token meets: of a mixture's routed experts, which are stored as
    stacks, as many as the router picks. A tied head counts as the embedding that it is.
    """
    total = sum(p.numel() for p in model.parameters())
    ends = {id(p): p for p in (model.get_input_embeddings().weight, model.lm_head.weight)}
    inner = total - sum(p.numel() for p in ends.values())
    stacks = [p for n, p in model.named_parameters() if ".experts." in n and p.dim() == 3]
    used = getattr(model.config, "num_experts_per_tok", 0)
    idle = sum(p.numel() // p.shape[0] * (p.shape[0] - used) for p in stacks)
    return {"total": total, "inner": inner, "active": inner - idle}


def built(name: str) -> Any:
    """Return a base with random weights."""
    from smalltune.models.loading import load_model

    return load_model(Path(__file__).parent / name / "config", scheme="config")


def main() -> None:
    """Print the counts of every base and its bytes in bfloat16."""
    print(f"{'base':16}{'all':>12}{'inner':>12}{'active':>12}{'MB':>8}")
    for name in BASES:
        found = count(built(name))
        size = 2 * found["total"] / 1e6
        counts = "".join(f"{found[k]:12,}" for k in ("total", "inner", "active"))
        print(f"{name:16}{counts}{size:8.2f}")


if __name__ == "__main__":
    main()
