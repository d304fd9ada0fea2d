"""Exports: a trained model's folder with a card that says what it is and how it was judged."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from smalltune.api.cards import Ground, card_of
from smalltune.api.trials import StudyTrial
from smalltune.core.errors import StudyError
from smalltune.core.plugins import load
from smalltune.models.export import BASE, export, form_of
from smalltune.models.sources import locate
from smalltune.runner.fetching import fetch

if TYPE_CHECKING:
    from smalltune.api.study import Study

__all__ = ["export_trial"]


def export_trial(study: "Study", trial: StudyTrial, folder: Path, *, merged: bool = False) -> None:
    """Write the trial's trained weights, the base's tokeniser and a model card into `folder`.

    With `merged` what was trained is added to the base, and the whole model is written. An adapter
    on a model that the study itself made, by what the method comes `after`, has that model beside
    it. Raises StudyError where the method cannot be merged.
    """
    train = trial.trial.job("train")
    weights = trial.weights()
    assert train is not None
    method = _method(train)
    if merged and not hasattr(method, "merge") and form_of(weights) != "transformers":
        raise StudyError(
            f"{trial.id}: what {method.title} trained cannot be merged into the base, whose own "
            "weights cannot say it: leave `--merged` out"
        )
    source, start = str(train.sources["model"]), train.inputs.get("base")
    reader = trial.trial.job("tokens")
    fetch([job for job in (reader, train if merged else None) if job], study.locked, _silently)
    base = study.store.path(start.key) / "model" if start else locate(source)
    origin, commit = str(locate(source)), None
    if source.startswith("hub:"):
        origin, _, commit = source.removeprefix("hub:").partition("@")
    with TemporaryDirectory() as draft:
        if merged and form_of(weights) != "transformers":
            weights = _merge(train, method, base, weights, Path(draft))
        beside = start is not None and form_of(weights) != "transformers"
        name, revision = (f"./{BASE}", None) if beside else (origin, commit)
        ground = Ground(origin, name, revision, inside=beside)
        card = card_of(study, trial, method, ground, weights, merged=bool(merged))
        export(base, weights, folder, base_name=name, revision=revision, card=card)
        if beside:
            shutil.copytree(base, folder / BASE)


def _silently(what: str) -> None:
    """What is told of fetching: nothing."""


def _method(train: Any) -> Any:
    return load("smalltune.methods", train.spec["method"]["name"])(
        **train.spec["method"]["options"]
    )


def _merge(train: Any, method: Any, base: Path, weights: Path, out: Path) -> Path:
    """Write the base with what was trained added to it, in float32; return the folder."""
    from smalltune.engine.quantised import quantise
    from smalltune.methods.full import Full
    from smalltune.models.loading import load_model

    stored = train.spec.get("base_dtype", "float32")
    scheme = "path" if "base" in train.inputs else str(train.sources["model"]).partition(":")[0]
    model = load_model(base, scheme=scheme, seed=train.spec["seed"], dtype=stored).float()
    if form := method.quantised():
        quantise(model, form)
    method.load(model, weights)
    method.merge(model)
    Full().save(model, out)
    return out
