"""Papers: write a study's paper and its bundle, and write nothing again that has not changed."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smalltune.api.view import study_view
from smalltune.core.errors import StudyError
from smalltune.core.keys import file_digest, key_of
from smalltune.core.store import write_json
from smalltune.planning.published import check_citations

if TYPE_CHECKING:
    from smalltune.api.study import Study
    from smalltune.paper.build import PaperReport

__all__ = ["bundle", "paper", "stamp"]

WRITERS = ("paper", "analysis", "metrics", "measures", "api")
"""The rooms whose source decides what a paper says."""


def paper(study: "Study") -> "PaperReport":
    """Build the paper, unless the one that stands was made of the same answers and texts."""
    from smalltune.paper import bibliography
    from smalltune.paper.build import PaperReport, build

    study.spec.need_reasons()
    view, results = study_view(study.spec, study.locked), study.results()
    known = bibliography.entries(view.text / "references.bib" if view.text else None)
    check_citations(study.spec.published, known, study.spec.document)
    folder = study.folder / "paper"
    if not any(True for _ in results.stored()):
        raise StudyError(f"nothing of {study.name} is stored yet: `smalltune run` comes first")
    now, note = stamp(study, view), study.store.root / "papers" / f"{study.name}.json"
    before = _before(note, now, folder)
    if before is not None:
        return PaperReport(**{**before, "folder": folder, "pdf": _pdf(folder)})
    report = build(view, results, folder)
    note.parent.mkdir(exist_ok=True)
    write_json(note, {"stamp": now, "files": _digests(_outputs(folder)), "report": _plain(report)})
    return report


def bundle(study: "Study") -> Path:
    """Write submission.zip in the study's folder."""
    from smalltune.paper.bundle import bundle as write

    paper(study)
    target = study.folder / "submission.zip"
    view = study_view(study.spec, study.locked)
    write(view, study.results(), study.folder / "paper", target)
    return target


def stamp(study: "Study", view: Any) -> str:
    """Return the digest of everything that a paper is made from."""
    from smalltune.analysis.openings import opened
    from smalltune.paper.latex import find_engine

    package = Path(__file__).parents[1]
    sources = [path for room in WRITERS for path in sorted((package / room).rglob("*"))]
    texts = sorted(view.text.rglob("*")) if view.text else []
    plan = study.plan()
    return key_of(
        {
            "view": json.loads(json.dumps(asdict(view), default=str)),
            "record": study.record(),
            "opened": {task: asdict(one) for task, one in opened(study.results()).items()},
            "stored": [job.key for job in plan.jobs() if study.store.known(job.key)],
            "source": {
                str(p): file_digest(p) for p in sources if p.suffix != ".pyc" and p.is_file()
            },
            "texts": {str(p): file_digest(p) for p in texts if p.is_file()},
            "latex": find_engine(),
        }
    )


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {str(path): file_digest(path) for path in paths if path.is_file()}


def _before(note: Path, stamp: str, folder: Path) -> dict[str, Any] | None:
    """Return the report of the paper that stands, if it was made of the same and is untouched."""
    try:
        said = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    here = _digests(_outputs(folder))
    return said["report"] if said["stamp"] == stamp and said["files"] == here and here else None


def _outputs(folder: Path) -> list[Path]:
    """Return every file of the paper: one that is gone or edited by hand makes the paper stale."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _pdf(folder: Path) -> Path | None:
    return folder / "paper.pdf" if (folder / "paper.pdf").is_file() else None


def _plain(report: "PaperReport") -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(report), default=str))
    return plain
