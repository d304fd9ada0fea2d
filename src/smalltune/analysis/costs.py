"""What a trial cost: time, memory, parameters, energy. Provenance, so never the same twice."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from smalltune.analysis.records import TrialRecord
from smalltune.core.store import Store

__all__ = ["Cost", "Spent", "cost", "mixtures", "spent"]

NAN = float("nan")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Cost:
    """The cost of one trial over its training and all its predictions; unknown is NaN or "".

    `train_seconds` is the training loop alone (for a classical classifier its fit and prediction,
    which are one step), `predict_seconds` the prediction of the test split alone: neither holds
    the loading of a model.
    `setup_seconds` are those before training and predictions began, over all jobs: a model is
    loaded, unless the worker has it.
    `flops` are the operations that the training needs, in closed form; with them go the speed of
    its loop in tokens per second and `share_of_peak`, the operations per second over those that
    the machine reaches in a product of matrices. `predict_flops`, `predict_tokens_per_second` and
    `predict_share_of_peak` say the same of the prediction of the test split.
    `seconds` and `cpu_seconds` hold everything, the likelihood of dev's references included where
    a study asks for it (`dev_loss`), `peak_memory_bytes` is the highest of the jobs.
    `stored_bytes` is what the store keeps of the trial. What `forecast_` says of time, memory and
    stored bytes was forecast before any of it ran (see `foretold`).
    What the trial was built from, the trainings and merges behind the model that it started from,
    is charged to it: in `train_seconds`, `tokens` and `flops` as in what holds everything;
    `built_seconds` is that part of `seconds`, 0 for a trial that started from a base as it is.
    `parts` names the stages that are counted, so that an unfinished trial can be told.
    """

    trial: str
    model: str
    method: str
    task: str
    seed: int | None
    train_seconds: float
    predict_seconds: float
    setup_seconds: float
    seconds: float
    built_seconds: float
    cpu_seconds: float
    peak_memory_bytes: float
    trainable_parameters: float
    total_parameters: float
    tokens: float
    steps: float
    padding_share: float
    flops: float
    tokens_per_second: float
    share_of_peak: float
    predict_flops: float
    predict_tokens_per_second: float
    predict_share_of_peak: float
    stored_bytes: float
    forecast_seconds: float
    forecast_peak_memory_bytes: float
    forecast_stored_bytes: float
    energy_joules: float
    energy_source: str
    device: str
    parts: tuple[str, ...]
    keys: tuple[str, ...]


def cost(store: Store, trial: TrialRecord, told: Mapping[str, Any] = NOTHING) -> Cost:
    """Return what is stored about the cost of a trial; `told` is what was forecast of it."""
    known = {part: key for part, key in trial.made.items() if store.known(key)}
    made = {part: store.provenance(key) for part, key in known.items()}
    facts = {part: _facts(store, key) for part, key in known.items()}
    tested = made.get("predict test", {})
    trained = made.get("train") if trial.train else tested
    sizes = facts.get("train") or facts.get("predict test", {})
    learned = facts.get("train", {})
    built = [part for part in known if part.startswith("built")]
    whole = len(built) == len(trial.built) and (trial.train is None or "train" in known)

    def with_built(own: float, each: Iterable[float]) -> float:
        """Return what the trial's own training took and what that which it was built from took."""
        before = [value for value in each if not math.isnan(value)]
        if not trial.built:
            return own
        return sum([*before, *([] if math.isnan(own) else [own])]) if whole else NAN

    return Cost(
        trial=trial.id,
        model=trial.model,
        method=trial.method,
        task=trial.task,
        seed=trial.seed,
        train_seconds=with_built(
            _phase(trained or {}, "train"), (_phase(made[part], "train") for part in built)
        ),
        predict_seconds=_phase(tested, "predict"),
        setup_seconds=_total({part: p.get("phases") or {} for part, p in made.items()}, "setup"),
        seconds=_total(made, "seconds"),
        built_seconds=sum(_number(made[part], "seconds") for part in built),
        cpu_seconds=_total(made, "cpu_seconds"),
        peak_memory_bytes=max(
            (_number(p, "peak_memory_bytes") for p in made.values()), default=NAN
        ),
        trainable_parameters=_number(sizes, "trainable_parameters"),
        total_parameters=_number(sizes, "total_parameters"),
        tokens=with_built(
            _number(learned, "tokens"), (_number(facts[part], "tokens") for part in built)
        ),
        steps=_number(learned, "steps"),
        padding_share=_number(learned, "padding_share"),
        flops=with_built(
            _number(learned, "flops"), (_number(facts[part], "flops") for part in built)
        ),
        tokens_per_second=_speed(made.get("train", {}), "tokens_per_second"),
        share_of_peak=_speed(made.get("train", {}), "share_of_peak"),
        predict_flops=_number(facts.get("predict test", {}), "flops"),
        predict_tokens_per_second=_speed(tested, "tokens_per_second"),
        predict_share_of_peak=_speed(tested, "share_of_peak"),
        stored_bytes=_stored(store, (*known.values(), *trial.scores)) if known else NAN,
        forecast_seconds=_number(told, "seconds"),
        forecast_peak_memory_bytes=_number(told, "peak_memory_bytes"),
        forecast_stored_bytes=_number(told, "stored_bytes"),
        energy_joules=_total({part: p.get("energy") or {} for part, p in made.items()}, "joules"),
        energy_source=_joined((p.get("energy") or {}).get("source") for p in made.values()),
        device=_joined(p.get("device") for p in made.values()),
        parts=tuple(known),
        keys=tuple(known.values()),
    )


@dataclass(frozen=True)
class Spent:
    """What several jobs cost together: seconds of running and of processors, joules; their keys."""

    seconds: float
    cpu_seconds: float
    energy_joules: float
    keys: tuple[str, ...]


def spent(store: Store, trials: Iterable[TrialRecord]) -> Spent:
    """Return what all stored jobs of some trials cost; one that several share counts once."""
    keys = dict.fromkeys(key for trial in trials for key in trial.made.values())
    known = tuple(key for key in keys if store.known(key))
    made = [store.provenance(key) for key in known]
    return Spent(
        _sum(_number(one, "seconds") for one in made),
        _sum(_number(one, "cpu_seconds") for one in made),
        _sum(_number(one.get("energy") or {}, "joules") for one in made),
        known,
    )


def mixtures(store: Store, trials: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Return one line for each thing that differs between the trials and could move a number.

    Scores made on different devices, in different precision or by different library versions are
    still compared, but the paper must say so.
    """
    seen: dict[str, dict[str, str]] = {}
    for trial in trials:
        for key in trial.made.values():
            if store.known(key):
                for name, value in _circumstances(store, key).items():
                    seen.setdefault(name, {}).setdefault(value, trial.id)
    return tuple(
        f"{name}: " + ", ".join(f"{value} ({trial})" for value, trial in sorted(values.items()))
        for name, values in sorted(seen.items())
        if len(values) > 1
    )


def _circumstances(store: Store, key: str) -> dict[str, str]:
    made, spec = store.provenance(key), store.manifest(key)["spec"]
    found = {"device": made.get("device"), "dtype": spec.get("dtype"), "Python": made.get("python")}
    found |= {"threads": made.get("threads"), "CPU": (made.get("machine") or {}).get("cpu")}
    found |= made.get("packages") or {}
    return {name: str(value) for name, value in found.items() if value}


def _facts(store: Store, key: str) -> dict[str, Any]:
    if "facts.json" not in store.manifest(key)["files"]:
        return {}
    facts: dict[str, Any] = store.read_json(key, "facts.json")
    return facts


def _stored(store: Store, keys: Iterable[str]) -> float:
    """Return the bytes that artifacts have on the disk; NaN where one is missing."""
    total = 0
    for key in keys:
        if not store.known(key):
            return NAN
        total += sum(each.stat().st_size for each in store.folder(key).rglob("*") if each.is_file())
    return float(total)


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    return NAN if value is None else float(value)


def _total(made: Mapping[str, Mapping[str, Any]], name: str) -> float:
    return sum(_number(part, name) for part in made.values()) if made else NAN


def _phase(made: Mapping[str, Any], name: str) -> float:
    return _number(made.get("phases") or {}, name)


def _speed(made: Mapping[str, Any], name: str) -> float:
    return _number(made.get("speed") or {}, name)


def _sum(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else NAN


def _joined(values: Any) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value))
