"""Exports: a trained model's folder with a card that says what it is and how it was judged."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from smalltune.api.trials import StudyTrial
from smalltune.core.plugins import load
from smalltune.models.export import export
from smalltune.models.sources import locate
from smalltune.runner.fetching import fetch

if TYPE_CHECKING:
    from smalltune.api.study import Study

__all__ = ["export_trial"]

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

The prompt and the label words that it was trained with:

```json
{prompt}
```

One seed of several: the study's paper has the mean over seeds and its interval. The licences of the
base model and of the data apply.
"""


def export_trial(study: "Study", trial: StudyTrial, folder: Path) -> None:
    """Write the trial's trained weights, the base's tokeniser and a model card into `folder`."""
    train = trial.trial.job("train")
    weights = trial.weights()
    assert train is not None
    source = str(train.sources["model"])
    reader = trial.trial.job("tokens")
    fetch([reader] if reader else [], study.locked, lambda what: None)
    base = locate(source)
    name, commit = str(base), None
    if source.startswith("hub:"):
        name, _, commit = source.removeprefix("hub:").partition("@")
    card = _card(study, trial, name, weights)
    export(base, weights, folder, base_name=name, revision=commit, card=card)


def _card(study: "Study", trial: StudyTrial, base: str, weights: Path) -> str:
    train = trial.trial.job("train")
    assert train is not None
    task = next(t for t in study.spec.tasks if t.name == trial.trial.task)
    method = next(m for m in study.spec.methods if m.name == trial.trial.method)
    metrics = [load("smalltune.metrics", name) for name in study.spec.metrics_of(task)]
    rows = []
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
        task=task.name,
        title=study.spec.title,
        metrics=" | ".join(metric.title for metric in metrics),
        rules="---|" * len(metrics),
        rows="\n".join(rows),
        options=json.dumps(options, indent=1, sort_keys=True),
        prompt=json.dumps(task.task.prompt_options(), indent=1, ensure_ascii=False),
    )


def _printed(value: float | None, *, percent: bool) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if percent else f"{value:.3f}"
