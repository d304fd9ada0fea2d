"""The prose of the studies in this repository: no typed numbers, real works, no stronger word."""

import re
from pathlib import Path

import pytest

from smalltune.core import plugins
from smalltune.paper import bibliography
from smalltune.paper.explained import CITED
from smalltune.paper.lint import Vocabulary, lint
from smalltune.paper.numbers import macro_name
from smalltune.paper.sections import SECTIONS
from smalltune.paper.words import LATEX

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.name for path in (ROOT / "studies").iterdir() if (path / "text").is_dir())
OWN_PROSE = [s for s in STUDIES if (ROOT / "studies" / s / "text" / "related_work.tex").is_file()]
"""Those whose every section is written by hand; the others add to the text of smalltune."""
WRITTEN = {
    "introduction", "related_work", "discussion", "limitations", "future_work", "ethics",
    "conclusion",
}  # fmt: skip


def texts(study: str) -> dict[str, str]:
    return {p.stem: p.read_text() for p in (ROOT / "studies" / study / "text").glob("*.tex")}


def works(study: str) -> dict[str, str]:
    return bibliography.entries(ROOT / "studies" / study / "text" / "references.bib")


def macros(text: str) -> set[str]:
    return set(re.findall(r"\\([a-zA-Z]+)", text)) - LATEX


@pytest.mark.parametrize("study", STUDIES)
def test_the_prose_belongs_to_sections(study: str):
    assert texts(study) and set(texts(study)) <= set(SECTIONS)


@pytest.mark.parametrize("study", ["demo", "sst2"])
def test_every_section_is_written(study: str):
    assert study in OWN_PROSE and set(texts(study)) >= WRITTEN


@pytest.mark.parametrize("study", STUDIES)
def test_the_prose_passes_the_lint(study: str):
    everything = "".join(texts(study).values())
    used = macros(everything)
    claims = dict.fromkeys((name for name in used if name.startswith("claim")), "unclear")
    known = Vocabulary(used - set(claims), claims, works(study))
    found = [
        str(f) for name, text in texts(study).items() for f in lint(Path(name), name, text, known)
    ]
    assert found == []


@pytest.mark.parametrize("study", STUDIES)
def test_every_macro_is_named_after_something_of_the_study(study: str):
    named = (ROOT / "studies" / study / "study.yaml").read_text()
    words = {macro_name("x", w)[1:] for w in re.findall(r"^  ([\w-]+):", named, re.MULTILINE)}
    words |= {macro_name("x", study)[1:], "Total", "Count", "Level", "Trials", "Learned"}
    for macro in macros("".join(texts(study).values())):
        assert any(word in macro for word in words), macro


@pytest.mark.parametrize("study", OWN_PROSE)
def test_at_least_twenty_works_are_discussed(study: str):
    assert len(bibliography.cited([texts(study)["related_work"]])) >= 20


@pytest.mark.parametrize("study", STUDIES)
def test_our_own_weights_are_llama_style_and_nothing_more(study: str):
    everything = re.sub(r"\s+", " ", " ".join(texts(study).values()))
    for found in re.finditer(r"\bLlama\b", everything):
        assert re.match(r"Llama(-style| family)", everything[found.start() :]), found


def test_every_entry_of_the_bibliography_is_used_and_whole():
    known = bibliography.entries()
    folder = Path(bibliography.__file__).parent
    used = bibliography.cited(
        p.read_text()
        for p in [
            *(folder / "sections").glob("*.j2"),
            folder / "drawings.py",
            *ROOT.glob("studies/*/text/*.tex"),
        ]
    )
    for task in plugins.names("smalltune.tasks"):
        used += [plugins.load("smalltune.tasks", task).citation]
    for method in plugins.names("smalltune.methods"):
        used += plugins.load("smalltune.methods", method).cite
    for metric in plugins.names("smalltune.metrics"):
        used += CITED.get(metric, ())
    for study in STUDIES:
        used = [key for key in used if key in known or key not in works(study)]
    assert sorted(known) == sorted(set(used) - {""})
    for key, entry in known.items():
        for field in ("title", "author", "year"):
            assert re.search(rf"^\s*{field} = {{.+}},$", entry, re.MULTILINE), (key, field)


def test_an_entry_that_is_not_closed_is_told_with_its_line(tmp_path):
    from smalltune.core.errors import LatexError

    (tmp_path / "references.bib").write_text("\n@misc{a,\n title = {x},\n")
    with pytest.raises(LatexError, match=r"references.bib:2: the entry 'a' is not closed"):
        bibliography.entries(tmp_path / "references.bib")
