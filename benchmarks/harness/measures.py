"""Measures: what the record of a pair says, as numbers and in the words of RESULTS.md."""

from collections.abc import Mapping
from typing import Any

from harness.timing import Spread, ratio, spread

__all__ = [
    "OTHERS", "TITLES", "Record", "best_trainer", "clock_of", "forecast_ratio", "loaded",
    "many_runs", "named", "per_trial", "ratio_of", "share_of_peak", "share_spread", "title",
]  # fmt: skip

Record = Mapping[str, Any]

OTHERS = 0.5
"""Cores that other processes may keep busy before a machine counts as loaded."""

TITLES = {
    "smalltune": "smalltune",
    "smalltune_like": "smalltune, like lengths",
    "trainer": "Trainer",
    "trainer_packed": "Trainer, packed, label-only",
    "trainer_like": "Trainer, like lengths, label-only",
    "best": "Trainer, best setting",
    "sft": "SFTTrainer",
    "sft_packed": "SFTTrainer, padding-free",
    "lm_eval": "lm-eval",
    "lm_eval_best": "lm-eval, best batch",
    "generate": "generate",
    "generate_best": "generate, sorted, best batch",
    "share": "share of the matmul peak",
    "dearest": "CPU ms per trial, the dearest",
    "flat": "the dearest trial over the cheapest",
    "meters": "share of the time that the meters take",
    "forecast_wall": "time forecast, off by",
    "forecast_memory": "peak memory forecast, off by",
    "one_by_one": "processes, one by one",
    "side_by_side": "processes, side by side",
    "side_by_side_packed": "processes, side by side, packed, label-only",
}


def title(record: Record, name: str) -> str:
    """Return what a variant is called, with the batch that was chosen for it."""
    chosen = record.get("chosen", {}).get(name)
    return f"{TITLES[name]} ({chosen['batch']})" if chosen else TITLES[name]


def named(name: str, record: Record) -> str:
    """Return a pair's name as it stands in a table, marked where the machine was loaded."""
    return f"`{name}`" + (" (loaded)" if loaded(record) else "")


def loaded(record: Record) -> bool:
    """Tell whether other processes kept the machine busy while a pair was measured.

    Records of earlier commits only hold the load average before, their own last minute in it.
    """
    if "load" in record:
        return (record["load"]["others"] or 0.0) > OTHERS
    machine = record.get("machine", {"load": 0.0, "machine": {"cores": 0}})
    return bool(machine["load"] > machine["machine"]["cores"] + OTHERS)


def clock_of(record: Record) -> str:
    """Return which time counts: the processor's, or the wall's where a GPU computes."""
    return "wall" if record["device"] == "cuda" else "cpu"


def ratio_of(record: Record, name: str) -> Spread:
    """Return a variant's time over smalltune's on the same batches."""
    clock, runs = clock_of(record), record["runs"]
    own = "smalltune_like" if name.endswith("_like") else "smalltune"
    return ratio(runs[name][clock], runs[own][clock])


def best_trainer(record: Record) -> str:
    """Return the tuned setting of Trainer by which smalltune leads least."""
    tuned = [name for name in record["runs"] if name.startswith("trainer_")]
    return min(tuned, key=lambda name: ratio_of(record, name).median)


def share_of_peak(record: Record, name: str) -> float:
    """Return the needed operations per second of a variant over the peak of the machine.

    Batches of like length after the first few are of other rows, and so need other operations.
    """
    return float(_rate(record, name) / spread(record["runs"][name][clock_of(record)]).median)


def share_spread(record: Record, name: str) -> Spread:
    """Return the share of the peak at the median time, at the slowest round and the quickest."""
    seconds, rate = spread(record["runs"][name][clock_of(record)]), _rate(record, name)
    return Spread(rate / seconds.median, rate / seconds.high, rate / seconds.low)


def _rate(record: Record, name: str) -> float:
    like = "flop_like" if name.endswith("_like") else "flop"
    return float(record[like] / record["peak"])


def many_runs(record: Record, name: str, count: str) -> Spread:
    """Return how many times smalltune's time a variant needs for so many runs."""
    computed = record["computed"][count]
    return ratio(computed[name]["wall"], computed["smalltune"]["wall"])


def per_trial(record: Record) -> list[float]:
    """Return what planning, store and scheduling cost per trial, for each number of trials."""
    found = record["trials"]
    return [sum(row[name] for name in found["trial"]) for row in found["rows"]]


def forecast_ratio(record: Record, kind: str) -> Spread:
    """Return forecast over actual, over the trials of a study."""
    return spread([each[kind] for each in record["forecasts"].values()])
