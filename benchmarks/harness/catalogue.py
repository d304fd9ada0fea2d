"""Catalogue: every pair, how large it is, and what smalltune means to reach there.

A name is its kind and what it is about, `train:micro:lora:sst2`; the beginning of one chooses
several. `quick` pairs take seconds and only show that the harness works; what each pair took stands
in results.json.

Covered on a CPU: training of the micro and 15M shapes in full and by LoRA on all three tasks, of
the 0.5B shape by LoRA on SST-2; the 15M shape on BoolQ in batches of four rows, so that a pair
takes minutes. On a CUDA device only: full training of the 0.5B shape, its longer texts, and all of
the larger shapes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness import (
    evaluation,
    forecasts,
    generation,
    jobs,
    lengths,
    losses,
    memory,
    profiles,
    studies,
    trials,
)

__all__ = ["GPU", "Pair", "catalogue", "chosen", "quick"]

GPU = "measured on a CUDA device only"

STEPS = {
    ("micro", "sst2"): 30, ("micro", "ag_news"): 12, ("micro", "boolq"): 4,
    ("15m", "sst2"): 10, ("15m", "ag_news"): 5,
}  # fmt: skip
TASKS = ("sst2", "ag_news", "boolq")
SMALL = {"trainer": 5.0, "sft": 9.0, "best": 1.5}


@dataclass(frozen=True)
class Pair:
    """One comparison. `aims` are the ratios to reach, by variant; "best" is the best Trainer."""

    name: str
    kind: str
    plan: Any
    aims: Mapping[str, float] = field(default_factory=dict)
    needs: str = ""

    @property
    def setting(self) -> dict[str, Any]:
        """The plan as JSON: a pair that was measured otherwise is measured again."""
        found: dict[str, Any] = _plain(asdict(self.plan))
        return found


def catalogue() -> list[Pair]:
    """Return all pairs in the order in which they are measured."""
    return [
        *_trainings(),
        *_large_trainings(),
        *_evaluations(),
        *_generations(),
        *_studies(),
        *_memories(),
        *_scalings(),
        *_profiles(),
        *_forecasts(),
        *(Pair(f"losses:{name}", "losses", losses.Plan(name)) for name in losses.METHODS),
        *_on_gpu(),
    ]


def chosen(pairs: list[Pair], only: list[str]) -> list[Pair]:
    """Return the pairs whose name begins with one of `only`, or all; raises ValueError for none."""
    found = [pair for pair in pairs if not only or pair.name.startswith(tuple(only))]
    if not found:
        raise ValueError(f"no pair begins with {', '.join(only)}; see --list")
    return found


def quick() -> list[Pair]:
    """Return one small pair of each kind."""
    by_name = {pair.name: pair for pair in catalogue()}

    def small(name: str, **changes: Any) -> Pair:
        pair = by_name[name]
        return replace(pair, plan=replace(pair.plan, **changes), aims={})

    return [
        small("train:micro:full:sst2", steps=4, warm=1, rounds=(2, 2)),
        small("train:micro:lora:sst2", steps=4, warm=1, rounds=(2, 2)),
        small("evaluate:micro:ag_news:0", rows=32, batches=(1, 8), rounds=(2, 2)),
        small("evaluate:micro:ag_news:8", rows=8, batches=(1, 8), rounds=(2, 2)),
        small("generate:micro:greedy", rows=16, tokens=16, rounds=(2, 2)),
        small("generate:micro:beams", rows=16, tokens=16, rounds=(2, 2)),
        small("study:micro:lora", rows=96, few=1, many=2, peers=1),
        small("memory:0.5b:lora:sst2", shape="micro", variants=("smalltune", "trainer")),
        small("scaling:lengths", shapes=("micro",), lengths=(32, 128), rounds=(1, 1)),
        small("scaling:trials", trials=(10,)),
        small("losses:lora", steps=4),
        small("profile:micro:lora", steps=2, warm=1, rounds=1),
        small("profile:study:lora", seeds=2, rounds=1),
        small("forecast:narrow:sst2", methods=("lora",), rows=64, asked=16, steps=2, seeds=1),
    ]


def _trainings() -> Iterator[Pair]:
    for (shape, task), steps in STEPS.items():
        for method in ("full", "lora"):
            plan = jobs.Plan(shape, method, task, steps=steps, seconds=30.0)
            yield Pair(f"train:{shape}:{method}:{task}", "train", plan, SMALL)
    for method in ("full", "lora"):
        plan = jobs.Plan(
            "15m", method, "boolq", 4, steps=2, warm=1, rounds=(3, 5), seconds=220.0
        )  # fmt: skip
        yield Pair(f"train:15m:{method}:boolq", "train", plan, SMALL)


def _large_trainings() -> Iterator[Pair]:
    # A step takes up to half a minute: five rounds of one step, without SFTTrainer's slow default.
    variants = ("smalltune", "trainer", "trainer_packed", "sft_packed")
    plan = jobs.Plan(
        "0.5b", "lora", "sst2", steps=1, warm=1, variants=variants, rounds=(5, 5)
    )  # fmt: skip
    yield Pair("train:0.5b:lora:sst2", "train", plan, {"trainer": 2.8, "share": 0.7})


def _evaluations() -> Iterator[Pair]:
    for shape, rows in (("micro", 256), ("15m", 128)):
        for shots, share in ((0, 1), (8, 4)):
            plan = evaluation.Plan(shape, "ag_news", rows // share, shots)
            yield Pair(f"evaluate:{shape}:ag_news:{shots}", "evaluate", plan, _scoring(shots))
    # What all prompts begin with is paid once: more rows, as a test split has, show what follows.
    more = evaluation.Plan("15m", "ag_news", 128, 8, rounds=(2, 3))
    yield Pair("evaluate:15m:ag_news:8:more", "evaluate", more, _scoring(8))
    plan = evaluation.Plan("0.5b", "sst2", 16, batches=(1, 4, 8, 16), rounds=(2, 3))
    yield Pair("evaluate:0.5b:sst2:0", "evaluate", plan, _scoring(0))


def _scoring(shots: int) -> dict[str, float]:
    """Return the aims of an evaluation, against the harness as it comes and in its best batch."""
    return dict.fromkeys(("lm_eval", "lm_eval_best"), 25.0 if shots else 4.0)


def _generations() -> Iterator[Pair]:
    for shape, rows in (("micro", 64), ("15m", 32)):
        for beams, name in ((1, "greedy"), (4, "beams")):
            plan = generation.Plan(shape, "ag_news", rows, beams=beams)
            yield Pair(f"generate:{shape}:{name}", "generate", plan, {"generate_best": 1.5})
    plan = generation.Plan("0.5b", "ag_news", 8, tokens=16, batches=(4, 8), rounds=(2, 2))
    yield Pair("generate:0.5b:greedy", "generate", plan, {"generate_best": 1.5})


def _studies() -> Iterator[Pair]:
    for method, many, peers in (("lora", 12, 6), ("full", 8, 4)):
        plan = studies.Plan(method, many=many, peers=peers)
        aims = {"one_by_one": 12.0, "side_by_side": 12.0}
        yield Pair(f"study:micro:{method}", "study", plan, aims)


def _memories() -> Iterator[Pair]:
    few = ("smalltune", "trainer", "trainer_packed")
    for task, batch, variants in (("sst2", 16, jobs.ALL), ("ag_news", 8, few)):
        plan = memory.Plan("0.5b", "lora", task, batch, variants=variants)
        yield Pair(f"memory:0.5b:lora:{task}", "memory", plan, {"trainer": 0.6})


def _scalings() -> Iterator[Pair]:
    # Rows of one length need no packing: Trainer's best setting is then the label-only one.
    best = ("smalltune", "trainer", "smalltune_like", "trainer_like")
    spans = lengths.Plan("full", ("15m",), (16, 64, 256, 1024), variants=best)
    sizes = lengths.Plan("lora", ("micro", "15m", "42m", "110m"))
    yield Pair("scaling:lengths", "scaling", spans)
    yield Pair("scaling:sizes", "scaling", sizes)
    costs = {"dearest": 50.0, "flat": 1.25}
    yield Pair("scaling:trials", "trials", trials.Plan(), costs)


def _profiles() -> Iterator[Pair]:
    meters = {"meters": 0.01}
    for shape, steps in (("micro", 30), ("15m", 10), ("0.5b", 1)):
        for method in ("full", "lora"):
            if (shape, method) != ("0.5b", "full"):
                plan = profiles.Plan(shape, method, steps=steps, warm=min(3, steps))
                yield Pair(f"profile:{shape}:{method}", "profile", plan, meters)
    study = profiles.Plan("micro", "lora", seeds=12)
    yield Pair("profile:study:lora", "profile", study, meters)


def _forecasts() -> Iterator[Pair]:
    narrow = {
        "hidden_size": 160, "intermediate_size": 432, "num_hidden_layers": 9,
        "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 32,
    }  # fmt: skip
    wide = {
        "hidden_size": 384, "intermediate_size": 1152, "num_hidden_layers": 3,
        "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 64,
    }  # fmt: skip
    deep = {
        "hidden_size": 640, "intermediate_size": 1728, "num_hidden_layers": 11,
        "num_attention_heads": 10, "num_key_value_heads": 10, "head_dim": 64,
    }  # fmt: skip
    trained = ("full", "lora")
    plans = {
        "narrow:sst2": forecasts.Plan("sst2", (*trained, "adapter", "few_shot"), narrow),
        "wide:ag_news": forecasts.Plan("ag_news", (*trained, "prefix_tuning"), wide, steps=20),
        "deep:sst2": forecasts.Plan("sst2", trained, deep, steps=12, asked=100, seeds=2),
        "micro:e2e_nlg": forecasts.Plan("e2e_nlg", trained, metric="rougeL", asked=100),
    }
    for name, plan in plans.items():
        aims = {"forecast_wall": 0.30, "forecast_memory": 0.15}
        yield Pair(f"forecast:{name}", "forecast", plan, aims)


def _on_gpu() -> Iterator[Pair]:
    few = ("smalltune", "trainer", "trainer_packed")
    for method, task in (("lora", "ag_news"), ("lora", "boolq"), ("full", "sst2")):
        plan = jobs.Plan("0.5b", method, task, steps=20, warm=5)
        yield Pair(f"train:0.5b:{method}:{task}", "train", plan, {"trainer": 2.8}, GPU)
    for shape in ("1b", "1.5b"):
        for method in ("full", "lora"):
            for task in TASKS:
                plan = jobs.Plan(shape, method, task, steps=20, warm=5)
                yield Pair(f"train:{shape}:{method}:{task}", "train", plan, {"trainer": 2.8}, GPU)
            held = memory.Plan(shape, method, "sst2", variants=few)
            yield Pair(f"memory:{shape}:{method}:sst2", "memory", held, {"trainer": 0.6}, GPU)
        for shots in (0, 8):
            scored = evaluation.Plan(shape, "ag_news", 256, shots, batches=(1, 8, 32, 128))
            name = f"evaluate:{shape}:ag_news:{shots}"
            yield Pair(name, "evaluate", scored, _scoring(shots), GPU)
        for beams, name in ((1, "greedy"), (4, "beams")):
            writing = generation.Plan(shape, "ag_news", 64, beams=beams)
            aims = {"generate_best": 1.5}
            yield Pair(f"generate:{shape}:{name}", "generate", writing, aims, GPU)


def _plain(value: Any) -> Any:
    """Return tuples as lists, as they come back from JSON."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
