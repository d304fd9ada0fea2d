"""The view of a study that its paper is written from: plain values out of spec and lock."""

from dataclasses import asdict

import smalltune
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.paper.view import (
    ContrastView,
    MethodView,
    MetricView,
    ModelView,
    StudyView,
    TaskView,
)
from smalltune.planning.checkpoints import facts
from smalltune.planning.lock import Lock, lock_path
from smalltune.planning.spec import MethodSpec, ModelSpec, StudySpec, TaskSpec

__all__ = ["study_view"]


def study_view(study: StudySpec, lock: Lock) -> StudyView:
    """Return what the paper has to know of a study."""
    file = study.document.path
    text = study.folder / "text"
    return StudyView(
        name=study.name,
        title=study.title,
        questions=study.questions,
        models=tuple(_model(model, lock) for model in study.models),
        tasks=tuple(_task(task, lock) for task in study.tasks),
        methods=tuple(_method(method) for method in study.methods),
        seeds=study.seeds,
        contrasts=tuple(ContrastView(**asdict(contrast)) for contrast in study.contrasts),
        metrics=tuple(_metric(name) for name in study.metrics),
        primary=study.primary,
        author=study.author,
        training=study.training,
        tuned=any(method.tune for method in study.methods),
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
        title=model.said.title,
        source=model.source,
        why=model.said.why,
        description=model.said.about,
        digest=locked.digest,
        licence=model.said.licence,
        link=model.said.link,
        facts=facts(locked.config, locked.parameters, locked.dtype),
        cite=model.said.citation,
    )


def _task(task: TaskSpec, lock: Lock) -> TaskView:
    object_ = task.task
    options = {**object_.data_options(), **object_.prompt_options()}
    return TaskView(
        name=task.name,
        title=task.said.title,
        kind=task.kind,
        why=task.said.why,
        description=task.said.about,
        prompt=str(options.pop("prompt", "")),
        labels=options.pop("labels", {}),
        files=task.files,
        digests={role: file.sha256 for role, file in lock.tasks[task.name].items()},
        options=options,
        limit={} if task.limit is None else {"train": task.limit},
        licence=task.said.licence,
        link=task.said.link,
        cite=task.said.citation,
    )


def _method(method: MethodSpec) -> MethodView:
    settled, training = method.settled()
    options, kind = settled.options(), method.kind
    for name, values in method.tune.items():
        where = training if name in training else options
        where[name] = f"tuned over {', '.join(map(str, values))}"
    return MethodView(
        name=method.name,
        method=method.method,
        title=method.said.title,
        why=method.said.why,
        rationale=kind.rationale,
        options=options,
        training=training,
        trains=kind.trains,
        uses_model=kind.uses_model,
        uses_rows=kind.uses_rows,
        cite=method.said.citation,
    )


def _metric(name: str) -> MetricView:
    metric = load("smalltune.metrics", name)
    return MetricView(name, metric.title, metric.percent, metric.better, metric.version)
