"""Reading a study file: from YAML to a StudySpec, or every problem in it with file and line."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load, nearest
from smalltune.engine.training import Training
from smalltune.planning.entries import Entries
from smalltune.planning.links import check_links
from smalltune.planning.method_entries import MethodEntries, told_apart
from smalltune.planning.options import build, check
from smalltune.planning.pairs import check_pairs, shared_contrasts
from smalltune.planning.published import read_published
from smalltune.planning.schema import StudyFile
from smalltune.planning.shape import check_shape
from smalltune.planning.spec import Contrast, MethodSpec, ModelSpec, StudySpec, TaskSpec
from smalltune.planning.yaml_lines import Document, Problems, parse_value, read_document

__all__ = ["find_study", "read_study"]

SPLITS = ("train", "dev", "test")


def find_study(study: Path | str) -> Path:
    """Return the study file that is meant: a file, a folder that holds one, or a name in studies/.

    Raises StudyError that names the studies there are.
    """
    here = Path("studies")
    for path in (Path(study), here / study):
        if path.is_file():
            return path.resolve()
        if (path / "study.yaml").is_file():
            return (path / "study.yaml").resolve()
    there = sorted(path.parent.name for path in here.glob("*/study.yaml"))
    if not there:
        raise StudyError(f"no study {str(study)!r}: no such file or folder with a study.yaml in it")
    raise StudyError(f"no study {str(study)!r}. {nearest(Path(study).name, there)}")


def read_study(path: Path, changes: Sequence[str] = ()) -> StudySpec:
    """Return the study in `path`, with `key=value` changes from the command line.

    Raises StudyError with all problems, each as `study.yaml:14: what is wrong, what is near`.
    """
    document = read_document(path)
    for change in changes:
        document = _changed(document, change)
    problems = Problems(document)
    shape = check_shape(document.data, problems)
    problems.stop()
    assert shape is not None
    spec = _Reader(shape, document, problems).read()
    problems.stop()
    return spec


def _changed(document: Document, change: str) -> Document:
    """Return the document with one value set, such as `methods.lora.rank=4`."""
    place, equals, text = change.partition("=")
    if not equals or not place:
        raise StudyError(f"{change!r} is not a change: write key=value, such as seeds=2")
    *way, last = place.split(".")
    data = inside = dict(document.data)
    for step in way:
        below = inside.get(step)
        inside[step] = dict(below) if isinstance(below, dict) else {}
        inside = inside[step]
    inside[last] = parse_value(text)
    return Document(document.path, data, document.lines)


class _Reader:
    """Turns the shape of one study file into its spec, noting problems on the way."""

    def __init__(self, shape: StudyFile, document: Document, problems: Problems):
        self.shape, self.document, self.problems = shape, document, problems
        self.folder = document.path.parent.resolve()
        self.entries = Entries(self.folder, problems)
        self.method_entries = MethodEntries(self.shape.tuning, problems)

    def read(self) -> StudySpec:
        shape = self.shape
        training = check(Training, shape.training, ("training",), self.problems, owner="training")
        build(Training, training, ("training",), self.problems)
        models = tuple(self.entries.model(name, entry) for name, entry in shape.models.items())
        tasks = tuple(t for name, e in shape.tasks.items() if (t := self.entries.task(name, e)))
        methods = told_apart(
            m
            for name, e in shape.methods.items()
            if (m := self.method_entries.method(name, e, training))
        )
        self._fit(tasks, methods, models)
        self.problems.stop()
        metrics = self.metrics(tasks)
        primary = self.primary(metrics)
        select = shape.tuning.metric or primary
        name = shape.name or self.folder.name
        contrasts = self.contrasts(primary, metrics)
        return StudySpec(
            name=name,
            title=shape.title or name,
            questions=(*([shape.question] if shape.question else []), *shape.questions),
            author=shape.author,
            keywords=tuple(shape.keywords),
            models=models,
            tasks=tasks,
            methods=methods,
            training=training,
            seeds=self.seeds(),
            tuning_seed=shape.tuning.seed,
            extend=shape.tuning.extend if shape.tuning.trials else 0,
            tuning_metric=self.entries.among(select, metrics, ("tuning", "metric"), "metric"),
            contrasts=shared_contrasts(contrasts, tasks, methods, models, self.problems),
            published=read_published(
                shape.published,
                {t.name: t.judged_by(shape.metrics) for t in tasks},
                self.problems,
            ),
            metrics=metrics,
            shared_metrics=tuple(dict.fromkeys(shape.metrics)),
            primary=primary,
            alpha=shape.alpha,
            sesoi=shape.sesoi,
            evaluations=self.evaluations(),
            max_length=shape.max_length,
            keep_weights=shape.keep_weights,
            dev_loss=shape.dev_loss,
            dtype=shape.dtype,
            base_dtype=shape.base_dtype,
            folder=self.folder,
            document=self.document,
        )

    def _fit(
        self,
        tasks: Sequence[TaskSpec],
        methods: Sequence[MethodSpec],
        models: Sequence[ModelSpec],
    ) -> None:
        """Note methods that lack the model or the tasks which they need."""
        asking = [method.name for method in methods if method.kind.uses_model]
        if asking and not self.shape.models:
            self.problems.add((), f"'models' is missing: {asking[0]} asks a language model")
        self.problems.stop()
        self._hold(methods)
        check_pairs(tasks, methods, models, self.problems)
        check_links(tasks, methods, self.problems)

    def _hold(self, methods: Sequence[MethodSpec]) -> None:
        """Note the methods that train what `base_dtype` would hold with too few digits for it."""
        held = self.shape.base_dtype
        changing = [m.name for m in methods if getattr(m.kind, "changes_base", False)]
        if changing and held != "float32":
            text = (
                f"{', '.join(changing)} would train weights in {held}, which rounds small steps "
                "away: leave `base_dtype` out, or put what keeps the base frozen in a study of "
                "its own"
            )
            self.problems.add(("base_dtype",), text)
        chained = [m.name for m in methods if m.after]
        if chained and held != "float32":
            text = (
                f"{', '.join(chained)} would start from weights that {held} rounds once more: "
                "leave `base_dtype` out, or what comes `after` another method"
            )
            self.problems.add(("base_dtype",), text)

    def seeds(self) -> tuple[int, ...]:
        """Return the seeds; each once, none of them the tuning seed."""
        seeds = self.shape.seeds
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            self.problems.add(("seeds",), f"seed {twice[0]} stands in seeds twice")
        if self.shape.tuning.seed in seeds and self._tunes:
            text = f"seed {self.shape.tuning.seed} is the tuning seed: a trial must not use it"
            self.problems.add(("seeds",), text)
        return tuple(seeds)

    @property
    def _tunes(self) -> bool:
        tuning, methods = self.shape.tuning, self.shape.methods.values()
        return tuning.trials is not None or any(method.tune for method in methods)

    def metrics(self, tasks: Sequence[TaskSpec]) -> tuple[str, ...]:
        """Return all metrics: those named, each of use to a task, or else the tasks' own."""
        if not self.shape.metrics:
            each = (task.scored_by or task.task.usual_metrics for task in tasks)
            return tuple(dict.fromkeys(name for own in each for name in own))
        known = {name for task in tasks for name in task.metrics}
        for number, name in enumerate(self.shape.metrics):
            place = ("metrics", str(number))
            if self.entries.plugin("metric", name, place) and name not in known and "." not in name:
                self.problems.add(place, f"no task of this study is scored by {name!r}")
        for task in tasks:
            if not task.judged_by(self.shape.metrics):
                text = f"no metric of the study can judge the task {task.name!r}"
                say = f"give `tasks.{task.name}.metrics`, of: {', '.join(task.metrics)}"
                self.problems.add(("metrics",), f"{text}: {say}")
        own = (name for task in tasks for name in task.scored_by)
        return tuple(dict.fromkeys((*self.shape.metrics, *own)))

    def primary(self, metrics: Sequence[str]) -> str:
        """Return the primary metric; one that is not there is noted once and counts as the first.

        The tuning metric and the contrasts fall back on it: they would note it again.
        """
        named = self.shape.primary or metrics[0]
        self.entries.among(named, metrics, ("primary",), "metric")
        self._deciding(named, metrics, ("primary",))
        self._deciding(self.shape.tuning.metric or named, metrics, ("tuning", "metric"))
        return named if named in metrics else metrics[0]

    def _deciding(self, name: str, metrics: Sequence[str], place: tuple[str, ...]) -> None:
        """Note a metric of which neither more nor less is better where one has to decide."""
        with suppress(StudyError):  # a metric that is not there has been noted
            if name not in metrics or load("smalltune.metrics", name).better != "neither":
                return
            self.problems.add(place, f"{name} cannot decide: neither more nor less of it is better")

    def contrasts(self, primary: str, metrics: Sequence[str]) -> tuple[Contrast, ...]:
        """Return the contrasts; each names methods, tasks, models and metrics of this study."""
        shape, found = self.shape, []
        for number, c in enumerate(shape.contrasts):
            at = ("contrasts", str(number))
            for method in (c.a, c.b):
                self.entries.among(method, shape.methods, at, "method")
            if c.a == c.b:
                self.problems.add(at, f"a contrast needs two methods, not {c.a!r} twice")
            metric = self.entries.among(c.metric or primary, metrics, (*at, "metric"), "metric")
            if c.task:
                self.entries.among(c.task, shape.tasks, (*at, "task"), "task")
            if c.model:
                self.entries.among(c.model, shape.models, (*at, "model"), "model")
            found.append(Contrast(c.a, c.b, metric, c.task, c.model))
        return tuple(found)

    def evaluations(self) -> tuple[str, ...]:
        """Return the splits on which every trial is judged: dev and test unless the study says."""
        for number, split in enumerate(self.shape.evaluations):
            self.entries.among(split, SPLITS, ("evaluations", str(number)), "split")
        return tuple(dict.fromkeys(self.shape.evaluations))
