"""Exports: a trained model's folder with a card that says what it is and how it was judged."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smalltune.api.trials import StudyTrial
from smalltune.api.view import answers_of
from smalltune.core.plugins import load
from smalltune.models.export import export
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

{method} of `{base}` on the task `{task}`, made by smalltune's study *{title}*.

| split | {metrics} |
|---|{rules}
{rows}

Training options:

```json
{options}
```

## The task

{about}

{asked}
{prompt}
One seed of several: the study's paper has the mean over seeds and its interval. The licences of the
base model and of the data apply.
"""

ASKED = {
    "labels": "It was trained to answer the prompt with the word of the right label, one of "
    "{words}; other words after the prompt mean nothing.",
    "choices": "It was trained to answer the prompt with the right one of an item's own choices; "
    "what counts is which of them it finds likeliest.",
    "text": "It was trained to answer the prompt with a text of at most {longest} tokens and to "
    "end it.",
    "likelihood": "It was trained to answer instructions, each written into the prompt, and judged "
    "by how likely held-out answers are to it.",
    "running text": "It was trained to go on with running text. There is no prompt.",
}
"""What a model of a task does, by how it answers (see `answers_of`)."""


def export_trial(study: "Study", trial: StudyTrial, folder: Path) -> None:
    """Write the trial's trained weights, the base's tokeniser and a model card into `folder`.

    An adapter on a model that the study itself made, by what the method comes `after`, has that
    model beside it.
    """
    train = trial.trial.job("train")
    weights = trial.weights()
    assert train is not None
    source = str(train.sources["model"])
    reader = trial.trial.job("tokens")
    fetch([reader] if reader else [], study.locked, lambda what: None)
    base = locate(source)
    name, commit = str(base), None
    if start := train.inputs.get("base"):
        base, name = study.store.path(start.key) / "model", str((folder / BASE).resolve())
    elif source.startswith("hub:"):
        name, _, commit = source.removeprefix("hub:").partition("@")
    card = _card(study, trial, name, weights)
    export(base, weights, folder, base_name=name, revision=commit, card=card)
    if start and (weights / "adapter_config.json").is_file():
        shutil.copytree(base, folder / BASE)


def _card(study: "Study", trial: StudyTrial, base: str, weights: Path) -> str:
    train = trial.trial.job("train")
    assert train is not None
    task = next(t for t in study.spec.tasks if t.name == trial.trial.task)
    method = next(m for m in study.spec.methods if m.name == trial.trial.method)
    metrics = [load("smalltune.metrics", name) for name in study.spec.metrics_of(task)]
    reader, rows = trial.trial.job("tokens"), []
    for split in trial.trial.evaluations:
        values = trial.scores(split) if trial.done else {}
        cells = [_printed(values.get(m.name), percent=m.percent) for m in metrics]
        rows.append(f"| {split} | {' | '.join(cells)} |")
    options = {**train.spec["method"]["options"], **train.spec["training"]}
    adapter = (weights / "adapter_config.json").is_file()
    return CARD.format(
        library="peft" if adapter else "transformers",
        base=base,
        id=trial.id,
        method=method.said.title,
        task=task.said.title,
        about=_about(task),
        asked=_asked(task.task),
        title=study.spec.title,
        metrics=" | ".join(metric.title for metric in metrics),
        rules="---|" * len(metrics),
        rows="\n".join(rows),
        options=json.dumps(options, indent=1, sort_keys=True),
        prompt=_prompt(task.task, chat=bool(reader and reader.spec["chat"])),
    )


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


def _printed(value: float | None, *, percent: bool) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if percent else f"{value:.3f}"
