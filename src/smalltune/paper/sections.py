r"""Sections: the paper's text, generated from the study or written by its author.

Each section has a template in the folder `sections/` that makes a plain text out of the study. An
author's `text/<section>.tex` takes its place; where it says `\defaulttext`, the generated text is
put in, so a section can be extended as well as replaced. Everything that a template prints is
escaped unless it is LaTeX of our own (`Tex`), so no word of a study or of data is ever run.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from smalltune.core.errors import LatexError
from smalltune.core.plugins import nearest
from smalltune.paper.escape import Tex, escape
from smalltune.paper.lint import Vocabulary, lint
from smalltune.paper.templates import environment

__all__ = ["SECTIONS", "author_texts", "render", "write_sections"]

SECTIONS: Mapping[str, str] = {
    "abstract": "",
    "introduction": "Introduction",
    "related_work": "Related work",
    "data": "Task and data",
    "models": "Models",
    "methods": "Methods",
    "setup": "Experimental set-up",
    "results": "Results",
    "examples": "Qualitative examples",
    "discussion": "Discussion",
    "limitations": "Limitations",
    "future_work": "Future work",
    "ethics": "Ethical considerations",
    "conclusion": "Conclusion",
    "appendix": "",
}
"""Each section's file name and heading, in the order of the paper."""

DEFAULT = r"\defaulttext"


def render(name: str, context: Mapping[str, Any]) -> Tex:
    """Return a template of the folder `sections/` filled in; all values are escaped."""
    return Tex(_templates().get_template(f"{name}.tex.j2").render(**context))


def author_texts(folder: Path | None) -> dict[str, tuple[Path, str]]:
    """Return the author's texts by section, each with its path.

    Raises LatexError when a file is no section of the paper.
    """
    texts: dict[str, tuple[Path, str]] = {}
    if folder is None or not folder.is_dir():
        return texts
    for path in sorted(folder.glob("*.tex")):
        if path.stem not in SECTIONS:
            near = nearest(path.stem, list(SECTIONS))
            raise LatexError(f"{path}: the paper has no section {path.stem!r}. {near}")
        texts[path.stem] = (path, path.read_text(encoding="utf-8"))
    return texts


def write_sections(
    folder: Path,
    texts: Mapping[str, tuple[Path, str]],
    context: Mapping[str, Any],
    vocabulary: Vocabulary,
) -> list[str]:
    """Write each section into a folder; return the LaTeX of all.

    Raises LatexError with every finding of the lint, each with its file and line.
    """
    findings = [
        finding
        for name, (path, text) in texts.items()
        for finding in lint(path, name, text, vocabulary)
    ]
    if findings:
        said = "\n  ".join(map(str, findings))
        raise LatexError(f"the text says what it may not say:\n  {said}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in SECTIONS:
        generated = str(render(name, context)).strip() + "\n"
        text = texts[name][1].replace(DEFAULT, generated) if name in texts else generated
        (folder / f"{name}.tex").write_text(text, encoding="utf-8")
        written.append(text)
    return written


@cache
def _templates() -> Any:
    return environment("sections", _latex)


def _latex(value: Any) -> Tex:
    return Tex("") if value is None else escape(value)
