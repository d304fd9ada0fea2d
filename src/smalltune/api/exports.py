"""Exports: a trained model's folder with a card that says what it is and how it was judged."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from smalltune.analysis.intervals import LEVEL, estimate
from smalltune.analysis.tables import text
from smalltune.api.trials import StudyTrial
from smalltune.api.view import answers_of
from smalltune.core.errors import StudyError
from smalltune.core.plugins import load
from smalltune.models.export import export, form_of, opening
from smalltune.models.sources import locate
from smalltune.runner.fetching import fetch

if TYPE_CHECKING:
    from smalltune.api.study import Study
    from smalltune.planning.spec import TaskSpec

__all__ = ["export_trial"]

BASE = "base"
"""The folder in an export that holds the model on which an adapter lies."""

CARD = """\
---
library_name: {library}
base_model: {base}
tags: [smalltune]
---
# {id}

{method} of `{base}` on the task `{task}`, made by smalltune's study *{title}*.{merged}

| split | of | {metrics} |
|---|---|{rules}
{rows}

In brackets: the {level} % interval, over the items for this model, over seeds and items for all
seeds.

## Opening it

{opening}
Training options:

```json
{options}
```

## The task

{about}

{asked}
{prompt}
The licences of the base model and of the data apply.
"""

ASKED = {
    "labels": "It was trained to answer the prompt with the word of the right label, one of "
    "{words}; other words after the prompt mean nothing.",
    "written labels": "It was trained to answer the prompt by writing the word of the right label, "
    "one of {words}; a text that begins with none of them is no answer.",
    "choices": "It was trained to answer the prompt with the right one of an item's own choices; "
    "what counts is which of them it finds likeliest.",
    "text": "It was trained to answer the prompt with a text of at most {longest} tokens and to "
    "end it.",
    "likelihood": "It was trained to answer instructions, each written into the prompt, and judged "
    "by how likely held-out answers are to it.",
    "running text": "It was trained to go on with running text. There is no prompt.",
}
"""What a model of a task does, by how it answers (see `answers_of`)."""


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
            f"{trial.id}: {method.title} cannot be merged into the base, as it adds what the "
            "base's own weights cannot say: leave `--merged` out"
        )
    source = str(train.sources["model"])
    reader = trial.trial.job("tokens")
    fetch([job for job in (reader, train if merged else None) if job], study.locked, _silently)
    base = locate(source)
    name, commit = str(base), None
    if start := train.inputs.get("base"):
        base, name = study.store.path(start.key) / "model", str((folder / BASE).resolve())
    elif source.startswith("hub:"):
        name, _, commit = source.removeprefix("hub:").partition("@")
    with TemporaryDirectory() as draft:
        if merged and form_of(weights) != "transformers":
            weights = _merge(train, method, base, weights, Path(draft))
        card = _card(study, trial, method, name, commit, weights, merged=bool(merged))
        export(base, weights, folder, base_name=name, revision=commit, card=card)
        if start and form_of(weights) != "transformers":
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


def _card(
    study: "Study",
    trial: StudyTrial,
    trained: Any,
    base: str,
    commit: str | None,
    weights: Path,
    *,
    merged: bool,
) -> str:
    train = trial.trial.job("train")
    assert train is not None
    task = next(t for t in study.spec.tasks if t.name == trial.trial.task)
    method = next(m for m in study.spec.methods if m.name == trial.trial.method)
    metrics = [load("smalltune.metrics", name) for name in study.spec.metrics_of(task)]
    reader = trial.trial.job("tokens")
    options = {**train.spec["method"]["options"], **train.spec["training"]}
    titles = [f"{metric.title} (%)" if metric.percent else metric.title for metric in metrics]
    return CARD.format(
        library=form_of(weights),
        base=base,
        id=trial.id,
        method=method.said.title,
        task=task.said.title,
        about=_about(task),
        asked=_asked(task.task),
        title=study.spec.title,
        merged=" What was trained is merged into the base." if merged else "",
        metrics=" | ".join(titles),
        rules="---|" * len(metrics),
        rows="\n".join(_rows(study, trial, metrics)),
        level=f"{100 * LEVEL:g}",
        opening=opening(
            weights,
            base,
            revision=commit,
            quantised=_bits(trained),
            merges=hasattr(trained, "merge"),
        ),
        options=json.dumps(options, indent=1, sort_keys=True),
        prompt=_prompt(task.task, chat=bool(reader and reader.spec["chat"])),
    )


def _bits(method: Any) -> dict[str, Any] | None:
    from smalltune.engine.quantised import plainly_loaded

    return plainly_loaded(method.quantised()) if method.quantised() else None


def _rows(study: "Study", trial: StudyTrial, metrics: list[Any]) -> Iterator[str]:
    """Yield the scores on each split with their intervals: of this model, and of all seeds."""
    one, results = trial.trial, study.results()
    for split in one.evaluations:
        mine, all_of_them, seeds = [], [], 0
        for metric in metrics:
            sample = results.sample(one.model, one.method, one.task, split, metric.name)
            here = [place for place, seed in enumerate(sample.seeds) if seed == one.seed]
            alone = replace(
                sample, seeds=tuple(sample.seeds[i] for i in here), stats=sample.stats[here]
            )
            seeds = len(sample.seeds)
            mine.append(text(estimate(alone), percent=metric.percent))
            all_of_them.append(text(estimate(sample), percent=metric.percent))
        yield f"| {split} | this model | {' | '.join(mine)} |"
        if seeds > 1:
            yield f"| {split} | mean of {seeds} seeds | {' | '.join(all_of_them)} |"


def _about(task: "TaskSpec") -> str:
    """Return what is known of the task's data, in a paragraph and a list."""
    said = task.said
    facts = {"Language": said.language, "Licence of the data": said.licence, "Source": said.link}
    listed = [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join([*([said.about, ""] if said.about else []), *listed]) or "Data of its own."


def _asked(task: Any) -> str:
    """Return what the model was trained to do."""
    words = ", ".join(
        json.dumps(w, ensure_ascii=False) for w in getattr(task, "labels", {}).values()
    )
    return ASKED[answers_of(task)].format(words=words, longest=getattr(task, "longest", ""))


def _prompt(task: Any, *, chat: bool) -> str:
    """Return the prompt and what belongs to it as a block of JSON, "" where there is none."""
    options = task.prompt_options()
    if "prompt" not in options:
        return ""
    shown = json.dumps({**options, "prompt": task.template}, indent=1, ensure_ascii=False)
    turn = "It stands in the model's chat template, as the user's turn.\n\n" if chat else ""
    return f"\n{turn}```json\n{shown}\n```\n"
