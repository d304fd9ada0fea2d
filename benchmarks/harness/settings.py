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
from harness.shapes import SHAPES, sizes
from harness.tables import table
from harness.texts import SOURCES
from harness.texts import TITLES as TASKS

__all__ = ["LEFT_OUT", "VARIANTS", "settings"]

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

LEFT_OUT = {
    "train:0.5b:lora:sst2": "SFTTrainer as it comes and batches of like length, as a step of the "
    "slowest takes up to half a minute",
    "memory:0.5b:lora:ag_news": "SFTTrainer in both settings, which stands at "
    "`memory:0.5b:lora:sst2`",
}
"""What was left out of a pair to keep the measurement short."""

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
        "PyTorch on a CPU advise by way of another allocator. The processes of a study have the "
        "system's memory settings, the packed ones too, which is a handicap beside the "
        "tuned peers of the other pairs. Trainer's `torch_compile` is not measured.\n"
    )
    yield (
        f"{TITLES['best']}, is the one of Trainer's tuned settings (those whose title adds "
        "label-only) by which smalltune leads least. Ratios of batches of like length are over "
        f"{TITLES['smalltune_like']}.\n"
    )
    yield from _shapes([records[pair.name]["plan"] for pair in pairs if _plain(pair)])
    named = [_of_pair(pair, records[pair.name]) for pair in pairs if _plain(pair)]
    if named:
        head = (
            "pair",
            "rows of",
            "rows a batch",
            "steps timed, after",
            "rounds",
            "learning rate",
            "besides",
        )
        yield table(head, named)
        yield (
            "Training is AdamW with a linear schedule without warm-up, weight decay 0.01 and the "
            "gradient's norm clipped at 1, the defaults of Trainer but for rate and decay. Rows "
            "are drawn at random with a fixed seed; those of AG News come from its test split for "
            "training too, as other draws: its texts have their titles there, and only speed is "
            "measured.\n"
        )
        yield from _besides_the_table(pairs, records)


def _variants(record: Record) -> Sequence[str]:
    return [*record.get("runs", ()), *(n for p in record.get("points", ()) for n in p["runs"])]


def _memory(name: str) -> str:
    if name.startswith(("one_by_one", "side_by_side")):
        return "the system's"
    return SYSTEM if name in DEFAULTS else KEPT


def _plain(pair: Any) -> bool:
    return pair.kind in ("train", "evaluate", "generate", "study", "memory")


def _shapes(plans: Sequence[Record]) -> Iterator[str]:
    """Yield a table of the shapes of these plans; a study's is the micro shape."""
    used = {plan.get("shape", "micro") for plan in plans}
    rows = []
    for shape in (shape for name, shape in SHAPES.items() if name in used):
        found = sizes(shape.name)
        million = (found["layers"] + found["head"]) / 1e6
        numbers = (found[what] for what in ("depth", "hidden", "vocabulary"))
        weights = "random" if shape.tokeniser else "trained: the base that comes with smalltune"
        rows.append((shape.name, f"{million:.1f}M", *(f"{n:,}" for n in numbers), weights))
    if rows:
        yield table(("shape", "parameters", "layers", "hidden", "vocabulary", "weights"), rows)
        yield "Parameters are those of the matrices; embedding and head are one.\n"


def _besides_the_table(pairs: Sequence[Any], records: Mapping[str, Record]) -> Iterator[str]:
    """Yield the rounds of what is not in the table, and what was left out of pairs."""
    if scaled := [pair.name for pair in pairs if pair.kind == "scaling"]:
        rounds = [_rounds(point) for name in scaled for point in records[name]["points"]]
        few, most = min(rounds), max(rounds)
        said = f"{few}" if few == most else f"{few} to {most}"
        yield f"Each point of {', '.join(f'`{name}`' for name in scaled)} has {said} rounds.\n"
    if names := [pair.name for pair in pairs if pair.name in LEFT_OUT]:
        said = ". ".join(f"Of `{name}`: {LEFT_OUT[name]}" for name in names)
        yield f"Left out to keep the measurement short. {said}.\n"


def _rounds(record: Record) -> int:
    """Return how often each variant ran; memory is measured once."""
    run = next(iter(record["runs"].values()))
    return len(run) if isinstance(run, list) else len(run.get("cpu", [0]))


def _of_pair(pair: Any, record: Record) -> tuple[str, ...]:
    """Return a pair's row of the table; what a kind does not have stays empty."""
    plan, kind = record["plan"], pair.kind
    task = plan.get("task", "sst2")
    role = "train" if kind in ("train", "memory", "study") else "test"
    trained = role == "train"
    steps = f"{plan['steps']}, {plan['warm']}" if "warm" in plan else ""
    return (
        f"`{pair.name}`",
        f"{TASKS[task]}, `{SOURCES[task][role]}`",
        str(plan["batch"]) if trained else "",
        steps or {"memory": "2, 0", "study": "one epoch"}.get(kind, ""),
        str(_rounds(record)),
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
