"""Method entries of a study file: plug-ins, their options, what tuning tries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from smalltune.core.errors import MethodError
from smalltune.engine.training import Training
from smalltune.methods import Range
from smalltune.planning.naming import Naming
from smalltune.planning.options import build, check, names_of
from smalltune.planning.schema import MethodEntry, RangeEntry, TuningEntry
from smalltune.planning.searching import spread
from smalltune.planning.spec import MethodSpec, Said
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["MethodEntries", "told_apart"]


def told_apart(found: Iterable[MethodSpec]) -> tuple[MethodSpec, ...]:
    """Return the methods with titles that differ: one that others bear too gets its name beside it.

    The entry that is called as its plug-in keeps the plug-in's title.
    """
    methods = tuple(found)
    borne = Counter(method.said.title for method in methods)

    def title(method: MethodSpec) -> str:
        plain = method.name == (method.approach or method.method)
        alone = plain or borne[method.said.title] == 1
        return method.said.title if alone else f"{method.said.title} ({method.name})"

    return tuple(replace(m, said=replace(m.said, title=title(m))) for m in methods)


class MethodEntries(Naming):
    """Reads the method entries of one study file."""

    def __init__(self, tuning: TuningEntry, problems: Problems):
        """Note problems in `problems`."""
        super().__init__(problems)
        self.tuning = tuning

    def method(self, name: str, entry: MethodEntry, shared: Mapping[str, Any]) -> MethodSpec | None:
        """Return one method, or None when its plug-in or options are wrong."""
        place = ("methods", name)
        approach = self.plugin("method", entry.method or name, (*place, "method"))
        kind = self._trainer(name, approach, entry.with_) if entry.with_ else approach
        if kind is None:
            return None
        keys = [field.alias or key for key, field in MethodEntry.model_fields.items()]
        beside = [*keys, *(names_of(Training) if kind.trains else [])]
        own, training = self._options(kind, entry.options, place, beside)
        candidates, ranges = self._candidates(kind, entry, place, beside)
        build(kind, own, place, self.problems)
        if kind.trains and training:
            build(Training, {**kind.training, **shared, **training}, place, self.problems)
        title, cite = kind.title, kind.cite
        if entry.with_:
            title, cite = f"{approach.title} with {kind.title}", (*approach.cite, *kind.cite)
        said = Said(entry.title or title, entry.why, citation=tuple(cite))
        named = entry.method or name
        return MethodSpec(
            name, entry.with_ or named, own, {**shared, **training}, candidates, said,
            tuple(entry.tasks or ()), tuple(entry.models or ()),
            {n: (r.low, r.high) for n, r in ranges.items()},
            named if entry.with_ else "", entry.on, entry.after,
        )  # fmt: skip

    def _trainer(self, name: str, approach: Any, trainer: str) -> Any:
        """Return the method that trains for an approach, or None after noting why it cannot."""
        place = ("methods", name, "with")
        kind = self.plugin("method", trainer, place)
        if kind is None or approach is None:
            return None
        if not getattr(approach, "instructs", False):
            text = f"methods.{name}: `with` names what instruct trains with, and this is another"
            self.problems.add(place, f"{text} method: name it by `method:`")
        elif not kind.trains or getattr(kind, "instructs", False):
            text = f"methods.{name}: instruct cannot train with {trainer}: name a method that "
            self.problems.add(place, f"{text}trains weights, such as lora")
        else:
            return kind
        return None

    def _candidates(
        self, kind: Any, entry: MethodEntry, place: Place, beside: Sequence[str]
    ) -> tuple[tuple[dict[str, Any], ...], dict[str, Range]]:
        """Return what tuning tries: all combinations of listed values, or points of a search.

        With the latter come the ranges in which they lie.
        """
        at = (*place, "tune")
        bounds = {n: v for n, v in entry.tune.items() if isinstance(v, RangeEntry)}
        listed = {n: v for n, v in entry.tune.items() if n not in bounds}
        trials = self.tuning.trials if kind.trains else None
        if bounds and (listed or trials is None):
            text = (
                f"{'.'.join(place)} has ranges: give `tuning: {{trials: 6}}`, and no lists beside"
            )
            self.problems.add(at, text)
            return (), {}
        ranges: dict[str, Range] = {}
        if listed or trials is None:
            found = [dict(zip(listed, each, strict=True)) for each in product(*listed.values())]
            if listed and trials is not None and len(found) != trials:
                text = f"{'.'.join(place)} lists {len(found)} candidates, and every method has"
                self.problems.add(at, f"{text} {trials} (tuning.trials)")
            found = found if listed else []
        else:
            ranges = self._ranges(kind, entry, bounds, at)
            found = spread(ranges, self.tuning.trials or 0, self.tuning.seed) if ranges else []
        for each in found:
            for option, value in each.items():
                self._options(kind, {option: value}, at, beside)
        return tuple(found), ranges

    def _ranges(
        self, kind: Any, entry: MethodEntry, bounds: Mapping[str, RangeEntry], at: Place
    ) -> dict[str, Range]:
        """Return where a search looks: the method's ranges, and those of its entry before them."""
        ranges = {n: r for n, r in kind.ranges().items() if n not in entry.options}
        for name, given in bounds.items():
            own = kind.ranges().get(name)
            try:
                ranges[name] = Range(given.low, given.high, whole=bool(own and own.whole))
            except MethodError as error:
                self.problems.add((*at, name), str(error))
        return ranges

    def _options(
        self,
        kind: Any,
        values: Mapping[str, Any],
        place: Place,
        beside: Sequence[str],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that are the method's own and those that are the engine's."""
        engine = [n for n in names_of(Training) if n not in names_of(kind)]
        own = {n: v for n, v in values.items() if n not in engine}
        rest = {n: v for n, v in values.items() if n in engine}
        owner = ".".join(place[:2])
        for option in {} if kind.trains else rest:
            text = f"{owner} trains no weights, so it has no {option!r}"
            self.problems.add((*place, option), text)
        return (
            check(kind, own, place, self.problems, owner=owner, beside=beside),
            check(Training, rest, place, self.problems, owner=owner),
        )
