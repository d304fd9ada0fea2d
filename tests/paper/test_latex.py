"""LaTeX's log decides: what pdflatex calls a success may be none."""

from pathlib import Path

import pytest

from smalltune.core.errors import LatexError
from smalltune.paper import latex
from smalltune.paper.latex import NO_ENGINE, compile_pdf, find_engine, read_log

ENGINE = find_engine()
HEAD = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n"
TIMES = "\\usepackage{times}\n"


def compiled(folder: Path, body: str, head: str = HEAD + TIMES, **options) -> str:
    """Return the error of a document, or "" when it compiles."""
    text = f"{head}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (folder / "paper.tex").write_text(text)
    (folder / "references.bib").write_text("")
    try:
        done = compile_pdf(folder, **options)
    except LatexError as error:
        assert not (folder / "paper.pdf").exists()
        return str(error)
    assert done.message == ("" if ENGINE else NO_ENGINE)
    return ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x \\cite{nobody}", "paper.tex:5: citation 'nobody' is undefined"),
        ("x\n\n\\ref{nowhere}", "paper.tex:7: reference 'nowhere' is undefined"),
        ("\\undefinedthing", "paper.tex:5: LaTeX error: Undefined control sequence."),
        ("\\hbox to 20cm{x}" + "x" * 9 + "\\rule{30cm}{1pt}", "overfull hbox"),
        ("x\\label{a}\\label{a}", "multiply defined"),
        ("\\fontfamily{nosuch}\\selectfont x", "no Font shape"),
        ("\\input{/etc/passwd}", "LaTeX error"),
    ],
)
def test_what_exits_with_zero_is_still_a_failure(tmp_path, body, said):
    error = compiled(tmp_path, body)
    if ENGINE:
        assert said in error
        assert (tmp_path / "paper.log").is_file()


def test_a_clean_document_compiles(tmp_path):
    assert compiled(tmp_path, "Hello.") == ""


def test_bitmap_fonts_are_forbidden(tmp_path):
    error = compiled(tmp_path, "Hello \\texteuro.", head=HEAD + "\\usepackage{textcomp}\n")
    if ENGINE:
        assert "bitmap font" in error or "not found" in error or error == ""


def test_shell_escape_is_off(tmp_path):
    compiled(tmp_path, "\\immediate\\write18{touch escaped}")
    assert not list(tmp_path.rglob("escaped"))


def test_an_endless_document_is_stopped(tmp_path):
    if ENGINE:
        error = compiled(tmp_path, "\\def\\x{\\x}\\x", timeout=3)
        assert "pdflatex did not end within 3 s" in error
    else:
        assert compiled(tmp_path, "x", timeout=3) == ""


def test_a_log_is_read_with_files_and_lines():
    log = (
        "(./paper.tex (./sections/results.tex\n"
        "LaTeX Warning: Citation `a' on page 1 undefined on input line 12.\n"
        "Overfull \\hbox (9.9pt too wide) in paragraph at lines 1--2\n"
        "Overfull \\hbox (10.1pt too wide) in paragraph at lines 3--4\n"
        ") (./sections/models.tex\n"
        "Package natbib Warning: Citation `b' on page 2 undefined on input line 3.\n"
        "Missing character: There is no X in font ptmr8t!\n))\n"
    )
    assert read_log(log) == [
        "sections/results.tex:12: citation 'a' is undefined",
        "sections/results.tex:3: overfull hbox, 10.1 pt too much in paragraph at lines 3--4",
        "sections/models.tex:3: citation 'b' is undefined",
        "sections/models.tex: missing character: There is no X in font ptmr8t",
    ]


def test_an_engine_needs_both_programs(monkeypatch):
    monkeypatch.setattr(latex.shutil, "which", lambda name, path: None if name == "bibtex" else "x")
    assert find_engine() is None
