"""Build: a study's results become a folder with LaTeX, numbers, figures and, with LaTeX, a PDF."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from smalltune.analysis.results import Results
from smalltune.core.errors import LatexError
from smalltune.core.store import disk_errors
from smalltune.paper import bibliography
from smalltune.paper.answers import add_answers
from smalltune.paper.claims import Claim, claims
from smalltune.paper.context import context
from smalltune.paper.drawings import draw_all
from smalltune.paper.elsewhere import add_elsewhere
from smalltune.paper.facts import add_facts
from smalltune.paper.floors import add_floors
from smalltune.paper.latex import compile_pdf
from smalltune.paper.lint import Vocabulary
from smalltune.paper.measures import add_contrasts, add_costs, add_scores
from smalltune.paper.moved import add_moves
from smalltune.paper.numbers import Numbers
from smalltune.paper.opened import add_openings
from smalltune.paper.quoted import add_published
from smalltune.paper.sections import author_texts, render, write_sections
from smalltune.paper.tuning import add_tuning
from smalltune.paper.tuning_words import add_remark
from smalltune.paper.unlearned import add_learning
from smalltune.paper.view import StudyView

__all__ = ["PaperReport", "build"]

WRITTEN = b"% Written by smalltune"  # how our paper.tex begins; another's is left alone


@dataclass(frozen=True)
class PaperReport:
    """What was written: `pdf` is None without LaTeX, and `message` then says how to get it.

    `numbers` counts the numbers, `claims` maps each claim to its verdict, `cited` counts works.
    """

    folder: Path
    pdf: Path | None
    pages: int
    numbers: int
    claims: dict[str, str]
    cited: int
    complete: bool
    message: str


def build(view: StudyView, results: Results, folder: Path) -> PaperReport:
    """Write the paper of a study into `folder` and compile it.

    What stood in the folder from an earlier build is replaced as a whole. Raises LatexError when
    a text says what it may not say or when LaTeX complains; the sources are kept then, the PDF
    is not, so that no PDF is ever older than its numbers.
    """
    texts = author_texts(view.text)
    folder = folder.resolve()  # a link to a folder stays a link
    _recover(folder)
    with disk_errors(folder), tempfile.TemporaryDirectory(prefix="smalltune-") as temporary:
        draft = Path(temporary) / "paper"
        draft.mkdir()
        numbers, found, cited = _sources(view, results, draft, texts)
        _replace(folder, draft)
    compiled = compile_pdf(folder)
    return PaperReport(
        folder=folder,
        pdf=compiled.pdf,
        pages=compiled.pages,
        numbers=len(list(numbers)),
        claims={claim.name: claim.verdict for claim in found},
        cited=len(cited),
        complete=results.complete,
        message=compiled.message,
    )


def _sources(
    view: StudyView, results: Results, draft: Path, texts: dict[str, tuple[Path, str]]
) -> tuple[Numbers, tuple[Claim, ...], list[str]]:
    """Write everything but the PDF."""
    numbers = Numbers()
    add_facts(view, results, numbers)
    scores = add_scores(view, results, numbers)
    contrasts = add_contrasts(view, results, numbers)
    answers = add_answers(view, results, numbers)
    moves = add_moves(view, results, contrasts, numbers)
    elsewhere = add_elsewhere(view, results, numbers)
    add_openings(results, numbers)
    add_published(view, numbers)
    add_costs(view, results, numbers)
    add_tuning(view, results, numbers)
    add_remark(view, results, contrasts, numbers)
    add_learning(view, results, numbers)
    declared = claims(view, contrasts, numbers)
    floors = add_floors(view, scores, numbers)
    found = (*declared, *(one.claim for one in floors))
    known = bibliography.entries(view.text / "references.bib" if view.text else None)
    ready = context(
        view,
        results,
        numbers,
        scores=scores,
        contrasts=contrasts,
        claims=declared,
        floors=floors,
        answers=answers,
        moves=moves,
        elsewhere=elsewhere,
        figures=draw_all(view, results, draft / "figures"),
        bibliography=known,
    )
    words = _words(view)
    vocabulary = Vocabulary(list(numbers), {c.name: c.verdict for c in found}, known, words)
    written = write_sections(draft / "sections", texts, ready, vocabulary)
    numbers.write(draft, more=[claim.switch() for claim in found])
    (draft / "paper.tex").write_text(render("paper", ready), encoding="utf-8")
    cited = bibliography.cited(written)
    bibliography.write(draft / "references.bib", cited, known)
    return numbers, found, cited


def _words(view: StudyView) -> list[str]:
    """Return the study's own names, which may hold digits."""
    words = [w for model in view.models for w in (model.name, model.title)]
    words += [w for task in view.tasks for w in (task.name, task.title)]
    words += [w for method in view.methods for w in (method.name, method.title)]
    words += [one.model for one in view.published]
    words += [w for metric in view.metrics for w in (metric.name, metric.title)]
    return [word for word in words if not word.isdigit()]


def _replace(folder: Path, draft: Path) -> None:
    """Put the draft in the folder's place; refuse a folder that no paper was written into.

    The draft is copied beside the folder first, then both are renamed: whenever a kill comes, a
    whole paper lies in the folder or beside it, and the next build finds it.
    """
    if folder.is_dir() and any(folder.iterdir()) and not _ours(folder):
        raise LatexError(f"{folder}: holds other files than a paper: choose another folder")
    old, new = _beside(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (old, new):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(draft, new)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Put back the paper that an earlier build had moved aside when it was killed."""
    old, _ = _beside(folder)
    if old.is_dir() and not folder.exists():
        with disk_errors(folder):
            old.rename(folder)


def _beside(folder: Path) -> tuple[Path, Path]:
    """Return where the old paper waits to be removed and where the new one is written."""
    return folder.with_name(f".{folder.name}.old"), folder.with_name(f".{folder.name}.new")


def _ours(folder: Path) -> bool:
    """Tell whether a paper was written into a folder, even if only a part of it is left."""
    main = folder / "paper.tex"
    if any((folder / name).is_file() for name in ("numbers.json", "numbers.tex")):
        return True
    return main.is_file() and main.read_bytes().startswith(WRITTEN)
