"""The bundle: everything that belongs to the paper, the same bytes each time, and it compiles."""

import compileall
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from smalltune.core.errors import LatexError
from smalltune.paper.bundle import bundle
from smalltune.paper.latex import find_engine
from smalltune.paper.readme import readme

SCRIPTS = ("load_data.py", "finetune.py", "evaluate.py", "analyse.py")


@pytest.fixture(scope="session")
def locked_view(make_view, tmp_path_factory):
    """Return a view with a study file, a lock and a text."""
    study = tmp_path_factory.mktemp("study")
    (study / "text").mkdir()
    (study / "text" / "ethics.tex").write_text("None.\n")
    files = (study / "study.yaml", study / "study.lock")
    for path in files:
        path.write_text(f"# {path.name}\n")
    return replace(make_view(study), files=files)


@pytest.fixture(scope="session")
def unpacked(locked_view, results, built, tmp_path_factory) -> Path:
    """Return the folder that a bundle was unpacked into."""
    folder = tmp_path_factory.mktemp("bundle")
    archive = bundle(locked_view, results, built.folder, folder / "submission.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder / "clean")
    return folder / "clean"


def test_the_archive_holds_what_belongs_to_the_paper(unpacked):
    names = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    wanted = {"README.md", "requirements.txt", "study.yaml", "study.lock", *SCRIPTS}
    wanted |= {"paper/paper.tex", "paper/numbers.json", "paper/references.bib", "text/ethics.tex"}
    wanted |= {f"results/{n}" for n in ("scores.parquet", "costs.parquet", "summary.json")}
    wanted |= {"src/smalltune/core/store.py", "src/smalltune/embedded/reviews/test.jsonl"}
    assert wanted <= names
    assert not [n for n in names if "__pycache__" in n or n.endswith((".log", ".pyc"))]


def test_the_same_study_gives_the_same_archive(locked_view, results, built, tmp_path):
    view = locked_view
    first = bundle(view, results, built.folder, tmp_path / "a.zip").read_bytes()
    assert bundle(view, results, built.folder, tmp_path / "b.zip").read_bytes() == first


def test_the_paper_compiles_in_a_clean_folder_without_smalltune(unpacked, built, tmp_path):
    folder = tmp_path / "paper"
    shutil.copytree(unpacked / "paper", folder)
    for made in ("paper.pdf", "paper.bbl"):
        (folder / made).unlink(missing_ok=True)
    engine = find_engine()
    if engine is None:
        assert "latexmk -pdf paper" in (unpacked / "README.md").read_text()
        return
    for name in ("pdflatex", "bibtex", "pdflatex", "pdflatex"):
        options = ["-interaction=nonstopmode"] if name == "pdflatex" else []
        command = [engine[name], *options, "paper"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in (folder / "paper.log").read_text(encoding="latin-1")
    assert (folder / "paper.pdf").read_bytes() == built.pdf.read_bytes()


def test_the_scripts_compile_and_use_the_public_interface(unpacked):
    for name in SCRIPTS:
        text = (unpacked / name).read_text()
        assert compileall.compile_file(unpacked / name, quiet=2, legacy=True)
        assert 'study = st.load("study.yaml")' in text and '"""Step' in text


def test_the_readme_tells_data_models_findings_and_assumptions(unpacked):
    text = (unpacked / "README.md").read_text()
    for part in ("Set-up", "Commands", "Data", "Models", "Findings", "Notes and assumptions"):
        assert f"\n## {part}" in text
    for fact in ("https://example.org/a\\_b%20c\\#d", "cd" * 32, "learning rate | 0.0005"):
        assert fact in text
    numbers = json.loads((unpacked / "paper" / "numbers.json").read_text())
    assert numbers["claimLoraAgainstFullReviews"]["printed"].replace("<", "\\<") in text
    assert not re.search(r"<[a-z]", text)


def test_the_readme_says_what_to_do_with_other_bytes_of_the_same_rows(view, results, built):
    task = replace(view.tasks[0], files={"train": "data/train.jsonl"})
    numbers = json.loads((built.folder / "numbers.json").read_text())
    text = readme(replace(view, tasks=(task,)), results, numbers, pdf=False)
    assert "the same rows in other bytes" in text and "`smalltune lock .` pins" in text


def test_the_requirements_pin_what_the_runs_used(unpacked):
    lines = (unpacked / "requirements.txt").read_text().splitlines()
    assert "torch==2.13.0" in lines and any(line.startswith("transformers") for line in lines)


def test_without_a_paper_there_is_no_bundle(view, results, tmp_path):
    with pytest.raises(LatexError, match="there is no paper yet: run `smalltune paper STUDY`"):
        bundle(view, results, tmp_path, tmp_path / "x.zip")
