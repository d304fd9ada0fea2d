"""Escaping: text from outside is printed as it is and never run."""

import string
import subprocess

import pytest

from smalltune.paper.escape import LETTERS, SPECIALS, Tex, escape, identifier
from smalltune.paper.latex import find_engine
from smalltune.paper.sections import render


def test_every_command_character_is_replaced():
    assert escape("\\{}$&#%_^~") == (
        r"\textbackslash{}\{\}\$\&\#\%\_\textasciicircum{}\textasciitilde{}"
    )


def test_a_command_in_data_prints_and_does_not_run():
    assert r"\input" not in escape(r"\input{/etc/passwd}")
    assert r"\end" not in escape(r"\end{document}")


@pytest.mark.parametrize("character", ["\N{GRINNING FACE}", "\u05e9", "\u202e", "\x07", "中"])
def test_what_the_fonts_lack_becomes_a_visible_code_point(character: str):
    assert escape(character) == rf"\unprintable{{U+{ord(character):04X}}}"


def test_ligatures_are_broken_so_that_text_stays_as_it_is():
    assert "--" not in escape("a -- b --- c")
    assert "``" not in escape("``x")
    assert ",," not in escape(",,x")


def test_long_words_may_break_and_short_ones_may_not():
    assert r"\allowbreak" in escape("x" * 100)
    assert r"\allowbreak" not in escape("counterrevolutionaries")
    assert r"\allowbreak" not in escape("two-million-parameter-language-model")
    assert r"\allowbreak" in identifier("ab" * 32)


def test_latex_of_our_own_is_not_escaped_twice():
    assert escape(Tex(r"\emph{x}")) == r"\emph{x}"
    assert escape(escape("50%")) == r"50\%"


def test_a_limit_cuts_the_text_and_says_so():
    assert escape("one two three", limit=7) == r"one two\textellipsis{}"


def test_a_template_escapes_whatever_it_prints():
    context = {"view": {"questions": [r"100% \input{x}"], "models": [], "tuned": False}}
    context |= {
        "words": lambda words: "_",
        "method_titles": [],
        "task_titles": [],
        "claims": [],
        "has_contrasts": False,
        "seeds": "",
    }
    text = render("abstract", context)
    assert r"100\% \textbackslash{}input\{x\}" in text and r"compare \_" in text


def test_every_printable_character_compiles_without_a_missing_glyph(tmp_path):
    body = "\n\n".join(
        f"{escape(c)} \\textbf{{{escape(c)}}} \\texttt{{{escape(c)}}}"
        for c in [*sorted(LETTERS), *SPECIALS, *string.printable.strip()]
    )
    head = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}"
        r"\usepackage{textcomp}\usepackage{times}"
        r"\IfFileExists{t1txtt.fd}{\renewcommand{\ttdefault}{txtt}}{}\begin{document}"
    )
    (tmp_path / "a.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n", encoding="utf-8")
    engine = find_engine()
    if engine is None:
        assert body.isprintable() or "\n" in body
        return
    command = [engine["pdflatex"], "-interaction=nonstopmode", "a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = (tmp_path / "a.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log and ".600pk" not in log
