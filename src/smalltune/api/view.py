"""The view of a study that its paper is written from: plain values out of spec and lock."""

from dataclasses import asdict
from typing import Any

import smalltune
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.paper.view import (
    ContrastView,
    MethodView,
    MetricView,
    ModelView,
    PublishedView,
    StudyView,
    TaskView,
)
from smalltune.planning.checkpoints import facts
from smalltune.planning.lock import Lock, lock_path
from smalltune.planning.pairs import asked_by, meets
from smalltune.planning.spec import MethodSpec, ModelSpec, Said, StudySpec, TaskSpec

__all__ = ["answers_of", "study_view"]


def study_view(study: StudySpec, lock: Lock) -> StudyView:
    """Return what the paper has to know of a study."""
    file = study.document.path
    text = study.folder / "text"
    asked = any(method.kind.uses_model for method in study.methods)
    return StudyView(
        name=study.name,
        title=study.title,
        questions=study.questions,
        models=tuple(_model(model, lock) for model in study.models if asked),
        tasks=tuple(_task(study, task, lock) for task in study.tasks),
        methods=tuple(_method(study, method, lock) for method in study.methods),
        seeds=study.seeds,
        contrasts=tuple(ContrastView(**asdict(contrast)) for contrast in study.contrasts),
        metrics=tuple(_metric(name) for name in study.metrics),
        primary=study.primary,
        published=tuple(PublishedView(**asdict(one)) for one in study.published),
        author=study.author,
        training=study.training,
        tuned=any(method.candidates for method in study.methods),
        extend=study.extend,
        keywords=study.keywords,
        folder=study.folder,
        text=text if text.is_dir() else None,
        files=(file, lock_path(file)),
        lock={"digest": file_digest(lock_path(file)), "date": lock.date},
        environment={"python": str(lock.environment["python"]), **lock.environment["packages"]},
        version=smalltune.__version__,
    )


def _model(model: ModelSpec, lock: Lock) -> ModelView:
    locked = lock.models[model.name]
    return ModelView(
        name=model.name,
        source=model.source,
        digest=locked.digest,
        facts=facts(locked.config, locked.parameters, locked.dtype),
        chat=model.chat,
        **_said(model.said),
    )


def _task(study: StudySpec, task: TaskSpec, lock: Lock) -> TaskView:
    object_, locked = task.task, lock.tasks[task.name]
    options = {**object_.data_options(), **object_.prompt_options()}
    decoding = object_.decoding_options()
    files = {
        role if len(each) == 1 else f"{role} {number}": file
        for role, each in locked.files.items()
        for number, file in enumerate(each, 1)
    }
    return TaskView(
        name=task.name,
        kind=task.kind,
        prompt=str(options.pop("prompt", "") and object_.template),
        labels=options.pop("labels", None) or getattr(object_, "labels", {}),
        files={name: file.path for name, file in files.items()},
        digests={name: file.sha256 for name, file in files.items()},
        hub=f"{task.hub} at {locked.commit}" if task.hub else "",
        options=options,
        limit={} if task.limit is None else {"train": task.limit},
        held={split: rows for split, rows in task.held.items() if split != "seed"},
        language=task.said.language,
        answers=answers_of(object_),
        decoding=decoding,
        metrics=study.metrics_of(task),
        also=task.also,
        trained=task.trained,
        met=any(meets(method, task) for method in study.methods),
        selects=study.selects_by(task),
        ties=study.ties_by(task),
        talks=object_.talks,
        **_said(task.said),
    )


def answers_of(task: Any) -> str:
    """Return how a model answers a task, by what the task declares; see `view.ANSWERS`."""
    decoding = task.decoding_options()
    if "normalise" in decoding:
        return "choices"
    if "beams" in decoding:
        return "text"
    if getattr(task, "labels", {}):
        return "written labels" if decoding.get("answered") == "written" else "labels"
    return "likelihood" if "prompt" in task.prompt_fields else "running text"


def _said(said: Said) -> dict[str, Any]:
    """Return what an author says of a model or a task, by the view's names."""
    return {
        "title": said.title,
        "why": said.why,
        "description": said.about,
        "licence": said.licence,
        "link": said.link,
        "cite": said.citation,
    }


def _method(study: StudySpec, method: MethodSpec, lock: Lock) -> MethodView:
    settled, training = method.settled()
    kind = method.kind
    return MethodView(
        name=method.name,
        method=method.method,
        title=method.said.title,
        why=method.said.why,
        rationale=method.told.rationale,
        options=settled.options(),
        training=training,
        trains=kind.trains,
        uses_model=kind.uses_model,
        uses_rows=kind.uses_rows,
        keeps_base=getattr(kind, "keeps_base", True),
        draws=bool(getattr(kind, "draws", False) or method.after),
        on=method.on,
        after=method.after,
        tuned=method.tune,
        candidates=len(method.candidates),
        ranges=method.ranges,
        remarks=_remarks(study, method, lock),
        cite=method.said.citation,
    )


def _remarks(study: StudySpec, method: MethodSpec, lock: Lock) -> dict[str, tuple[str, ...]]:
    """Return what a method says of itself on single models, with the titles of these."""
    found: dict[str, tuple[str, ...]] = {}
    remark = getattr(method.settled()[0], "remark", lambda config: "")
    for model in asked_by(method, study.models) if method.kind.uses_model else ():
        if said := remark(lock.models[model.name].config):
            found[said] = (*found.get(said, ()), model.said.title)
    return found


def _metric(name: str) -> MetricView:
    metric = load("smalltune.metrics", name)
    return MetricView(name, metric.title, metric.percent, metric.better, metric.version)
