"""Building: a folder that compiles, the same bytes each time, and failures that say where."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from smalltune.core.errors import LatexError
from smalltune.paper import latex
from smalltune.paper.build import build
from smalltune.paper.latex import NO_ENGINE, find_engine
from smalltune.paper.sections import SECTIONS

ENGINE = find_engine()


def words(pdf) -> str:
    command = ["pdftotext", "-layout", str(pdf), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_paper_compiles_or_says_how(built):
    if ENGINE is None:
        assert built.pdf is None and built.message == NO_ENGINE
    else:
        assert built.pdf.read_bytes().startswith(b"%PDF") and built.pages >= 3


def test_the_folder_holds_what_a_reader_expects(built):
    names = {p.relative_to(built.folder).as_posix() for p in built.folder.rglob("*")}
    wanted = {"paper.tex", "numbers.tex", "numbers.json", "references.bib"}
    wanted |= {"figures/scores.pdf", "figures/contrast.pdf", "figures/curves.pdf"}
    assert wanted | {f"sections/{name}.tex" for name in SECTIONS} <= names


def test_the_pdf_holds_every_section_and_embeds_its_fonts(built):
    if ENGINE is None:
        assert "sudo apt-get install" in built.message
        return
    if shutil.which("pdftotext"):
        text = words(built.pdf)
        for title in SECTIONS.values():
            assert title in text
        assert "??" not in text and "(?)" not in text
    if shutil.which("pdffonts"):
        assert latex._fonts(built.pdf) == []


def test_hostile_text_is_printed_and_does_nothing(view, results, tmp_path):
    from smalltune.paper.examples import example_tables
    from smalltune.paper.numbers import Numbers

    table = example_tables(view, results, Numbers(), each=40)["examples"]
    for printed in (r"\textbackslash{}input\{/etc/passwd\}", "U+1F600", "U+05E9", "U+202E"):
        assert printed in table
    hostile = r"\input{/etc/passwd} 100% \def\x{" + "\N{GRINNING FACE}\u05e9" * 20 + "z" * 300
    task = replace(view.tasks[0], why=hostile, description=hostile, title=hostile[:40])
    method = replace(view.methods[1], why=hostile, title="A_b %$#")
    view = replace(
        view, tasks=(task,), methods=(view.methods[0], method, view.methods[2]),
        questions=(hostile,), author=hostile, keywords=(hostile,),
    )  # fmt: skip
    report = build(view, results, tmp_path / "paper")
    assert "root:" not in (tmp_path / "paper" / "sections" / "data.tex").read_text()
    if ENGINE and shutil.which("pdftotext"):
        text = words(report.pdf)
        assert r"\input{/etc/passwd}" in text and "[U+1F600]" in text and "root:" not in text


def test_the_same_study_gives_the_same_bytes(view, results, built, tmp_path):
    folder = tmp_path / "again"
    build(replace(view, text=None), results, folder)
    for path in sorted(p for p in built.folder.rglob("*") if p.is_file()):
        assert (folder / path.relative_to(built.folder)).read_bytes() == path.read_bytes(), path


def test_only_cited_works_are_listed(built):
    keys = re.findall(r"@\w+{(\w+),", (built.folder / "references.bib").read_text())
    texts = "".join(p.read_text() for p in (built.folder / "sections").glob("*.tex"))
    assert keys == sorted(keys) and len(keys) == built.cited
    assert all(key in texts for key in keys)


@pytest.mark.parametrize(
    ("section", "text", "said"),
    [
        ("results", "LoRA reaches 93.1.\n", "results.tex:1: '93.1' is typed by hand"),
        ("abstract", "\n\\accuracyLoraRevews\n", "abstract.tex:2: unknown macro"),
        ("introduction", "\\citep{nobody1999}\n", "introduction.tex:1: no entry 'nobody1999'"),
    ],
)
def test_a_text_that_says_too_much_stops_the_build(view, results, tmp_path, section, text, said):
    (view.text / f"{section}.tex").write_text(text)
    with pytest.raises(LatexError, match=re.escape(said)):
        build(view, results, tmp_path / "paper")


def test_all_findings_are_told_at_once(view, results, tmp_path):
    (view.text / "results.tex").write_text("1\n\\nope\n")
    (view.text / "ethics.tex").write_text("2\n")
    with pytest.raises(LatexError) as error:
        build(view, results, tmp_path / "paper")
    assert len(str(error.value).splitlines()) == 4


def test_a_text_for_no_section_is_an_error(view, results, tmp_path):
    (view.text / "introducton.tex").write_text("x")
    with pytest.raises(LatexError, match=r"no section 'introducton'\. Did you mean 'introduction'"):
        build(view, results, tmp_path / "paper")


def test_an_author_replaces_or_extends_a_section(view, results, tmp_path, monkeypatch):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    (view.text / "ethics.tex").write_text("Nothing to declare.\n")
    (view.text / "data.tex").write_text("\\defaulttext\n\nAnd a remark.\n")
    sections = build(view, results, tmp_path / "paper").folder / "sections"
    assert (sections / "ethics.tex").read_text() == "Nothing to declare.\n"
    data = (sections / "data.tex").read_text()
    assert data.startswith("\\paragraph{Reviews.}") and data.endswith("And a remark.\n")


def test_a_study_without_a_text_folder_gets_a_whole_paper(view, results, built):
    for name in SECTIONS:
        assert (built.folder / "sections" / f"{name}.tex").read_text().strip()


def test_an_unfinished_study_says_so_on_its_first_page(view, make_results, tmp_path):
    results = make_results(tmp_path / "store", lora=0.9, full=0.7)
    gone = results.trial("micro/lora/reviews/5")
    for key in gone.score.values():
        results.store.remove(key)
    report = build(view, results, tmp_path / "paper")
    assert not report.complete
    assert "Preliminary" in (report.folder / "paper.tex").read_text()
    numbers = json.loads((report.folder / "numbers.json").read_text())
    assert numbers["trialsDone"]["value"] == 12 and numbers["trialsCount"]["value"] == 13
    assert numbers["accuracyLoraReviews"]["trials"] == [f"micro/lora/reviews/{s}" for s in range(5)]


def test_without_latex_the_sources_are_there_and_the_message_says_how(
    view, results, tmp_path, monkeypatch
):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    report = build(view, results, tmp_path / "paper")
    assert report.pdf is None and (report.folder / "paper.tex").is_file()
    assert report.message.startswith("the LaTeX sources are written, but there is no PDF")


def test_a_folder_with_other_files_is_left_alone(view, results, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.doc").write_text("years of work")
    with pytest.raises(LatexError, match="holds other files than a paper"):
        build(view, results, folder)
    assert (folder / "thesis.doc").read_text() == "years of work"


BODY = r"""
\begin{document}\twocolumn
%(text)s
\section{Conclusion} %(words)s

\settlefloats
\section*{References} %(words)s %(words)s %(words)s

\FloatBarrier
\end{document}
"""
WIDE = r"""\begin{table*}\caption{Wide.}\rule{\textwidth}{%(size)s\textheight}\end{table*}
"""
NARROW = r"""\begin{table}\caption{Narrow.}\rule{\linewidth}{%(size)s\textheight}\end{table}
"""


def pages(folder, sizes) -> list[str]:
    """Return the pages of a text with tables of these shares of a page; below 0 narrow ones."""
    some = "Some words that fill a line and another one. " * 60
    floats = "".join((WIDE if s > 0 else NARROW) % {"size": abs(s)} for s in sizes)
    body = BODY % {"text": floats + some, "words": some}
    preamble = (folder / "paper.tex").read_text().partition("\\begin{document}")[0]
    (folder / "floats.tex").write_text(preamble.replace("\\input{numbers}", "") + body)
    command = ["pdflatex", "-interaction=batchmode", "floats"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return words(folder / "floats.pdf").split("\f")[:-1]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX")
@pytest.mark.parametrize(
    "sizes", [(), (0.2,), (0.4,) * 7, (0.6,) * 4, (0.95, 0.3), (-0.4,) * 9, (0.3, -0.5, 0.8, -0.2)]
)
def test_all_tables_of_the_text_stand_before_the_references(built, tmp_path, sizes):
    shutil.copy(built.folder / "paper.tex", tmp_path)
    found = pages(tmp_path, sizes)
    at = next(n for n, page in enumerate(found) if "References" in page)
    assert sum(page.count("Table ") for page in found) == len(sizes)
    assert not any("Table " in page for page in found[at + 1 :])
    empty = [page for page in found[1:at] if page.count("Table ") + page.count("Some words") < 1]
    assert not empty
    if not sizes:
        assert at == 0, "where nothing waits, the references fill the page of the text"
