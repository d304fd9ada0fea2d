"""Bundle: one ZIP with all that belongs to a paper; the same study gives the same bytes."""

import importlib.metadata
import json
import re
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import smalltune
from smalltune.analysis.export import write as export
from smalltune.analysis.results import Results
from smalltune.core.errors import LatexError
from smalltune.core.store import disk_errors
from smalltune.paper.facts import made_by
from smalltune.paper.readme import readme, templates
from smalltune.paper.view import StudyView

__all__ = ["bundle"]

SCRIPTS = ("load_data.py", "finetune.py", "evaluate.py", "analyse.py")
PACKAGE = Path(smalltune.__file__).parent
LEFT_OUT = (".pyc", ".pyo", ".log")
WHEN = (1980, 1, 1, 0, 0, 0)
PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "smalltune"
version = "{version}"
description = "smalltune as it made the paper of this archive."
requires-python = ">=3.11"
license = "Apache-2.0"
authors = [{{ name = "The smalltune contributors" }}]
dependencies = [
{dependencies}
]

[project.scripts]
smalltune = "smalltune.cli:main"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
smalltune = ["**/*"]
"""


def bundle(view: StudyView, results: Results, paper: Path, target: Path) -> Path:
    """Write the ZIP `target` from the paper's folder, the study and its results; return it.

    It holds the paper, study.yaml and study.lock, the author's texts, results/, the package's
    source, four scripts, README.md, requirements.txt. Raises LatexError when there is no paper.
    """
    if not (paper / "paper.tex").is_file():
        raise LatexError(f"{paper}: there is no paper yet: run `smalltune paper STUDY` first")
    with disk_errors(target), tempfile.TemporaryDirectory(prefix="smalltune-") as temporary:
        export(results, temporary)
        files = dict(_files(view, paper, Path(temporary)))
        texts = _texts(view, results, paper)
        draft = target.with_name(f".{target.name}.draft")
        try:
            _write(draft, {**{n: p.read_bytes() for n, p in files.items()}, **texts})
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    return target


def _files(view: StudyView, paper: Path, results: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name in the archive and the path of each file that is taken as it is."""
    for folder, inside in ((paper, "paper"), (results, "results"), (PACKAGE, "src/smalltune")):
        yield from _tree(folder, inside)
    for path in (*view.files, _root() / "LICENSE"):
        if path.is_file():
            yield path.name, path
    for path in sorted(view.text.glob("*")) if view.text else []:
        if path.suffix in (".tex", ".bib"):
            yield f"text/{path.name}", path


def _tree(folder: Path, inside: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix not in LEFT_OUT and "__pycache__" not in name.parts:
            yield f"{inside}/{name.as_posix()}", path


def _texts(view: StudyView, results: Results, paper: Path) -> dict[str, bytes]:
    """Return the files that are written for the archive."""
    numbers = json.loads((paper / "numbers.json").read_text(encoding="utf-8"))
    needed = _dependencies()
    lines = ",\n".join(f'    "{line}"' for line in needed)
    texts = {name: templates().get_template(f"{name}.j2").render() for name in SCRIPTS}
    texts["pyproject.toml"] = PYPROJECT.format(version=smalltune.__version__, dependencies=lines)
    texts["requirements.txt"] = _requirements(needed, view, results)
    texts["README.md"] = readme(view, results, numbers, pdf=(paper / "paper.pdf").is_file())
    return {name: text.rstrip().encode() + b"\n" for name, text in texts.items()}


def _requirements(needed: list[str], view: StudyView, results: Results) -> str:
    """Return smalltune's dependencies, pinned to what runs or lock say, else to what is here."""
    used: Mapping[str, Any] = {**view.environment, **(made_by(results).get("packages") or {})}
    lines = [
        "# What smalltune needs, pinned to the versions that the runs or the lock recorded;",
        "# what neither records is pinned as installed where this archive was written.",
    ]
    for line in needed:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        version = str(used.get(name) or _installed(name))
        version = version.partition("+")[0]  # no index has PyTorch's local versions
        lines.append(f"{name}=={version}" if version else line)
    return "\n".join(lines)


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _dependencies() -> list[str]:
    """Return what smalltune needs: from its project file, else from its installed metadata."""
    project = _root() / "pyproject.toml"
    if project.is_file():
        with project.open("rb") as file:
            return sorted(tomllib.load(file)["project"]["dependencies"])
    found = importlib.metadata.requires("smalltune") or []
    return sorted(line.partition(";")[0].strip() for line in found if "extra ==" not in line)


def _root() -> Path:
    """Return the folder of the project when smalltune runs from its source, else anywhere."""
    return PACKAGE.parent.parent


def _write(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a ZIP whose bytes depend on names and contents only."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=WHEN)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, files[name], compresslevel=9)
