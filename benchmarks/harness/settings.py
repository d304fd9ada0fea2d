"""Settings: what each variant is, and on what each pair ran, as tables of RESULTS.md.

The words of `VARIANTS` say what `trainers`, `sft`, `evaluation`, `generation`, `studies` and
`machine.allocate_as` do; the numbers come from the records.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.generation import BATCH
from harness.jobs import rate_of
from harness.machine import DEFAULTS
from harness.measures import TITLES, Record
from harness.tables import table
from harness.texts import SOURCES
from harness.texts import TITLES as TASKS

__all__ = ["VARIANTS", "settings"]

VARIANTS = {
    "smalltune": "the engine as its workers run it: rows laid end to end, the head where it is "
    "read",
    "smalltune_like": "the same with `batches: by_length`, batches of rows of like length",
    "trainer": "Transformers' Trainer as it comes: padded batches, logits of the whole vocabulary "
    "at every position, fused AdamW, float32 on a CPU; LoRA by PEFT, rank 8 on all linear layers",
    "trainer_packed": "Trainer with `DataCollatorWithFlattening`, which lays rows end to end, and "
    "a loss that computes the head only where a label is",
    "trainer_like": "Trainer on padded batches of rows of like length, as `group_by_length` draws "
    "them, with the same loss",
    "sft": "TRL's SFTTrainer as it comes (gradient checkpointing, a log line every ten steps), but "
    "in float32 on a CPU, where its default is bfloat16",
    "sft_packed": "SFTTrainer with `padding_free`, without checkpointing and log lines. It has no "
    "label-only head on a CPU: its fused head leaves out unlabelled positions only where Triton "
    "runs, and its entropy and token accuracy, which cannot be switched off, read them all. A loss "
    "of one's own in a subclass would make it the Trainer above",
    "lm_eval": "lm-evaluation-harness as it comes, one row a batch, cache of logits on",
    "lm_eval_best": "the same in batches of the size that was quickest here. Its own `auto` takes "
    "the largest that fits in memory",
    "generate": f"Transformers' `generate` on batches of {BATCH} rows as they come, padded on the "
    "left, with its cache",
    "generate_best": "the same on rows sorted by length, in batches of the size that was quickest "
    "here",
    "one_by_one": "a process per run: Trainer as it comes, with all cores, one process at a time",
    "side_by_side": "the same with one thread each, as many processes at once as there are cores",
    "side_by_side_packed": "the same with rows laid end to end and the head only where a label is, "
    "or where a label word is scored",
}
"""What each variant is, by its name."""

KEPT, SYSTEM = "freed blocks are kept", "glibc's own rule, in the state it ends in"


def settings(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[str]:
    """Yield what the variants of these pairs are, and each pair's rows, batches and rates."""
    ran = {name for pair in pairs for name in _variants(records[pair.name])}
    shown = [name for name in VARIANTS if name in ran]
    if not shown:
        return
    yield "## What was compared\n"
    rows = [(TITLES[name], VARIANTS[name], _memory(name)) for name in shown]
    yield table(("variant", "what it is", "memory"), rows)
    yield (
        "Memory is that of training, evaluation and generation. Kept means that glibc neither "
        "maps blocks below a gibibyte afresh nor gives freed ones back (`mallopt`), as guides to "
        "PyTorch on a CPU advise by way of another allocator. Trainer's `torch_compile` is "
        "not measured.\n"
    )
    named = [_of_pair(pair, records[pair.name]["plan"]) for pair in pairs if _plain(pair)]
    if named:
        head = ("pair", "rows of", "rows a batch", "steps timed, after", "learning rate", "besides")
        yield table(head, named)
        yield (
            "Training is AdamW with a linear schedule without warm-up, weight decay 0.01 and the "
            "gradient's norm clipped at 1, the defaults of Trainer but for rate and decay. Rows "
            "are drawn at random with a fixed seed; those of AG News come from its test split for "
            "training too, as other draws: its texts have their titles there, and only speed is "
            "measured.\n"
        )


def _variants(record: Record) -> Sequence[str]:
    return [*record.get("runs", ()), *(n for p in record.get("points", ()) for n in p["runs"])]


def _memory(name: str) -> str:
    if name.startswith(("one_by_one", "side_by_side")):
        return "the system's"
    return SYSTEM if name in DEFAULTS else KEPT


def _plain(pair: Any) -> bool:
    return pair.kind in ("train", "evaluate", "generate", "study", "memory")


def _of_pair(pair: Any, plan: Record) -> tuple[str, ...]:
    """Return a pair's row of the table; what a kind does not have stays empty."""
    kind, task = pair.kind, plan.get("task", "sst2")
    role = "train" if kind in ("train", "memory", "study") else "test"
    trained = role == "train"
    steps = f"{plan['steps']}, {plan['warm']}" if "warm" in plan else ""
    return (
        f"`{pair.name}`",
        f"{TASKS[task]}, `{SOURCES[task][role]}`",
        str(plan["batch"]) if trained else "",
        steps or {"memory": "2, 0", "study": "one epoch"}.get(kind, ""),
        f"{rate_of(plan['method']):g}" if trained else "",
        _besides(kind, plan),
    )


def _besides(kind: str, plan: Record) -> str:
    said = {
        "evaluate": "{rows} rows, {shots} demonstrations",
        "generate": "{rows} rows, {tokens} tokens, {beams} beam(s)",
        "study": "{rows} rows, {few} and {many} seeds, {peers} of the peers",
        "train": "at most {length} tokens a row",
        "memory": "at most {length} tokens a row",
    }
    return said[kind].format(**plan)
