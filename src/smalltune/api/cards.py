"""Cards: the README of an exported model, with its scores and their intervals."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smalltune.analysis.intervals import LEVEL, estimate
from smalltune.analysis.learning import FAILED, OVERSURE
from smalltune.analysis.tables import text
from smalltune.api.trials import StudyTrial
from smalltune.api.view import answers_of
from smalltune.core.plugins import load
from smalltune.models.export import form_of, opening

if TYPE_CHECKING:
    from smalltune.api.study import Study
    from smalltune.planning.spec import TaskSpec

__all__ = ["Ground", "card_of"]

CARD = """\
---
library_name: {library}
base_model: {base}
tags: [smalltune]
---
# {id}

{method} of `{origin}` on the task `{task}`, made by smalltune's study *{title}*.{merged}
{history}
| split | of | {metrics} |
|---|---|{rules}
{rows}

In brackets: the {level} % interval, over the items for this model, over seeds and items for all
seeds.
{marked}
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


MARKED = {
    FAILED: "**This training counts as failed**: {reason}. Its scores say nothing of the method.",
    OVERSURE: "**This model is too sure of what it gets wrong**: {reason}.",
}


@dataclass(frozen=True)
class Ground:
    """On what exported weights lie: `base`, of `commit` on the hub, or `inside` the folder itself.

    `origin` is the base that the study names.
    """

    origin: str
    base: str
    commit: str | None
    inside: bool


def card_of(
    study: "Study", trial: StudyTrial, trained: Any, ground: Ground, weights: Path, *, merged: bool
) -> str:
    """Return the model card of a trial whose trained weights lie in a folder."""
    train = trial.trial.job("train")
    assert train is not None
    task = _named(study, trial.trial.task)
    method = next(m for m in study.spec.methods if m.name == trial.trial.method)
    metrics = [load("smalltune.metrics", name) for name in study.spec.metrics_of(task)]
    reader = trial.trial.job("tokens")
    titles = [f"{metric.title} (%)" if metric.percent else metric.title for metric in metrics]
    return CARD.format(
        library=form_of(weights),
        base=ground.base,
        origin=ground.origin,
        marked=_marked(study, trial),
        id=trial.id,
        method=method.said.title,
        task=task.said.title,
        about=_about(task),
        asked=_learned(study, trial, task),
        history=_history(study, trial, train),
        title=study.spec.title,
        merged=" What was trained is merged into the base." if merged else "",
        metrics=" | ".join(titles),
        rules="---|" * len(metrics),
        rows="\n".join(_rows(study, trial, metrics)),
        level=f"{100 * LEVEL:g}",
        opening=opening(
            weights,
            ground.base,
            method=train.spec["method"]["name"],
            options=train.spec["method"]["options"],
            revision=ground.commit,
            inside=ground.inside,
            quantised=_bits(trained),
            merges=hasattr(trained, "merge"),
        ),
        options=json.dumps(_options(train), indent=1, sort_keys=True),
        prompt=_prompt(task.task, chat=bool(reader and reader.spec["chat"])),
    )


def _marked(study: "Study", trial: StudyTrial) -> str:
    """Return that the results mark this training as failed or too sure, and why."""
    found = (one for one in study.results().learning if one.trial == trial.id)
    said = (MARKED[one.status].format(reason=one.reason) for one in found if one.status in MARKED)
    return "".join(f"\n{line}\n" for line in said)


def _named(study: "Study", task: str) -> "TaskSpec":
    return next(each for each in study.spec.tasks if each.name == task)


def _history(study: "Study", trial: StudyTrial, own: Any) -> str:
    """Return the trainings behind the weights, a line each with its task and its options.

    Nothing where a base as it is was trained on the task that it was asked.
    """
    methods, one = {method.name: method for method in study.spec.methods}, trial.trial
    links = [methods[one.method]]
    while (before := links[0].after) is not None:
        links.insert(0, methods[before])
    if len(links) == 1 and not one.on:
        return ""
    trains = [*(job for job in one.built if job.stage == "train"), own]
    lines = [
        f"{number}. {link.said.title} on `{_named(study, link.on or one.task).said.title}`: "
        f"`{json.dumps(_options(job), sort_keys=True)}`"
        for number, (link, job) in enumerate(zip(links, trains, strict=True), 1)
    ]
    began = " The first training began with that base, each other with all that the one before it "
    began = f"{began}left, made part of the model's own weights." if len(links) > 1 else ""
    return "\n".join(
        [f"\nHow the weights came about, with the same seed throughout.{began}\n", *lines, ""]
    )


def _options(train: Any) -> dict[str, Any]:
    """Return the options of a training: the method's own and those of the loop."""
    return {**train.spec["method"]["options"], **train.spec["training"]}


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


def _learned(study: "Study", trial: StudyTrial, task: "TaskSpec") -> str:
    """Return what the model was trained to do, and that this is another task where it is."""
    on = trial.trial.on
    if on is None or on == task.name:
        return _asked(task.task)
    return f"It was asked this task, and trained on another. {_asked(_named(study, on).task)}"


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
