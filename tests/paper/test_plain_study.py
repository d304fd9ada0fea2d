"""A study without a model, without a seed: its paper says nothing of what it does not have."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from smalltune.api.study import load

STUDY = """\
title: How far do word counts get?
question: How far do word counts get on short reviews?
models:
  micro-llama: {why: "It stands here, and no method asks it."}
tasks:
  reviews: {why: They are short.}
methods:
  majority: {why: The floor.}
  tfidf: {why: Words carry sentiment.}
seeds: 6
contrasts: [tfidf - majority]
"""
FALSE = (
    "paired", "seed", "language model", "micro-llama", "pre-train", "prompt", "fine-tun", "lora",
    "both the",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the study, run and with its paper and its bundle."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "study.yaml").write_text(STUDY)
    study = load(folder, folder / "store")
    study.run(workers=1)
    study.bundle()
    return folder


def test_no_section_speaks_of_seeds_or_models(folder: Path):
    for path in sorted((folder / "paper" / "sections").glob("*.tex")):
        text = " ".join(path.read_text().split()).lower()
        text = re.sub(r"\\(cite\w*|ref|label)\{[^}]*\}", "", text)
        allowed = {"related_work": {"seed", "fine-tun"}, "models": {"language model"}}
        allowed["methods"] = {"language model"}  # TF-IDF says what it is held against
        allowed["data"] = {"language model"}  # the reviews say who wrote them
        for word in FALSE:
            if word not in allowed.get(path.stem, ()):
                assert word not in text, (
                    path.stem,
                    word,
                    text[max(0, text.find(word) - 80) :][:160],
                )


def test_a_sentence_begins_with_a_capital(folder: Path):
    for path in (folder / "paper" / "sections").glob("*.tex"):
        for caption in re.findall(r"\\caption\{(.*)\}$", path.read_text(), re.MULTILINE):
            assert not re.search(r"\. [a-z]", caption), caption


def test_a_small_energy_is_not_printed_as_zero(folder: Path):
    numbers = json.loads((folder / "paper" / "numbers.json").read_text())
    printed = numbers["energyTotal"]["printed"]
    assert re.search(r"[1-9]", printed), printed


def test_the_readme_has_no_model(folder: Path):
    with zipfile.ZipFile(folder / "submission.zip") as archive:
        text = archive.read("README.md").decode()
    assert "## Models" not in text and "micro-llama" not in text and "Seeds:" not in text


def test_its_card_has_counts_and_no_tokens(folder: Path):
    text = (folder / "paper" / "sections" / "appendix.tex").read_text()
    assert "Data card of" in text and "Tokens" not in text


def test_the_pdf_has_no_box_that_is_too_wide(folder: Path, tmp_path: Path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no LaTeX on this machine")
    shutil.copytree(folder / "paper", tmp_path / "paper")
    subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "paper"], cwd=tmp_path / "paper", check=True,
        capture_output=True,
    )  # fmt: skip
    assert "Overfull \\hbox" not in (tmp_path / "paper" / "paper.log").read_text("latin-1")
