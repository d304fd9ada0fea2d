"""Records as the benchmark keeps them, made up."""

from types import SimpleNamespace

from harness.shapes import sizes

MACHINE = {
    "git": "abc", "python": "3.11", "gpu": None, "threads": 1, "load": 0.1,
    "packages": {"torch": "2"},
    "machine": {"cpu": "a processor", "cores": 2, "memory_bytes": 8e9, "platform": "Linux"},
}  # fmt: skip


PLAN = {
    "shape": "15m", "method": "full", "task": "sst2", "batch": 16, "steps": 10, "warm": 2,
    "length": 512,
}  # fmt: skip


def run(*seconds, **more):
    return {"cpu": list(seconds), "wall": list(seconds), "loss": 1.0, "distances": {}, **more}


def record(**runs):
    return {
        "date": "2026-01-01T00:00:00Z", "device": "cpu", "machine": MACHINE, "peak": 2e9,
        "flop": 1e9, "flop_like": 2e9, "plan": PLAN, "runs": runs,
    }  # fmt: skip


def pair(name="train:a", aims=None, needs="", kind="train"):
    return SimpleNamespace(name=name, kind=kind, aims=aims or {}, needs=needs)


TRAINED = record(
    smalltune=run(1.0, 1.0),
    smalltune_like=run(0.5, 0.5),
    trainer=run(6.0, 5.0),
    trainer_packed=run(2.0, 2.0),
    trainer_like=run(0.75, 0.75),
)


def sized(**more):
    """A record of the 15M shape: Trainer computes 10 positions, five of them padding."""
    shape = sizes("15m")
    flop = 6.0 * 5 * shape["layers"]  # the head, read once, is left out
    return TRAINED | {"tokens": 5, "padded_tokens": 10, "flop": flop} | more


def studied():
    """A record of short runs: two processes of 16 seconds at once, which start in 6."""
    scores = {
        "smalltune": ([0.5, 0.6, 0.9], [0.2, 0.4, 9.0]), "one_by_one": ([0.5, 0.3], [0.2, 0.5]),
        "side_by_side": ([0.5, 0.6], [0.2, 0.4]),
    }  # fmt: skip
    runs = {
        name: [
            {
                "wall": {"once": 0.0, "each": each, "measured": [2 * each, 2 * each]},
                "cpu": {"once": 0.0, "each": each},
                "accuracy": scores[name][0],
                "distances": {"accuracy": 0.2 if name == "one_by_one" else 0.0},
            }
        ]
        for name, each in (("smalltune", 2.0), ("one_by_one", 12.0), ("side_by_side", 8.0))
    }
    computed = {name: {"wall": [100 * found[0]["wall"]["each"]]} for name, found in runs.items()}
    plan = {"method": "lora", "batch": 16, "rows": 320, "few": 2, "many": 12, "peers": 6}
    return record() | {
        "runs": runs, "start": [{"wall": 6.0, "cpu": 5.0}], "computed": {"100": computed},
        "plan": plan, "losses": {name: found[1] for name, found in scores.items()},
    }  # fmt: skip


PROFILE = {
    "parts": [
        {"part": "matrix products", "share": 0.6}, {"part": "element by element", "share": 0.25},
        {"part": "attention", "share": 0.05}, {"part": "Python and dispatch", "share": 0.1},
    ]
}  # fmt: skip


STUDY = {
    "plan": {"seeds": 12},
    "parts": [
        {"part": "train: train", "share": 0.6},
        {"part": "starting processes, planning, waiting", "share": 0.4},
    ],
}  # fmt: skip


PEERS = ("sft", "lm_eval", "lm_eval_best", "generate_best")


def full_record():
    """A record of the 15M shape that has what any reason may ask for."""
    more = {name: run(12.0, 12.0) for name in PEERS}
    kept = {"rows": 32, "plain_flop": 6e9, "beginning_flop": 2e8}
    return sized(**kept) | {"runs": {**TRAINED["runs"], **more}}
