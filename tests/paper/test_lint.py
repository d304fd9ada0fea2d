"""The lint: what an author may not type, with file, line and what to write instead."""

from pathlib import Path

import pytest

from smalltune.paper.lint import Vocabulary, lint
from smalltune.paper.sections import SECTIONS

KNOWN = Vocabulary(
    macros=["accuracyLora", "seedsCount"],
    claims={"claimLoraAgainstFull": "better", "claimOther": "unclear"},
    cites=["hu2022lora"],
    words=["Llama-3.2-1B"],
)


def said(text: str, section: str = "results") -> list[str]:
    return [str(finding) for finding in lint(Path("r.tex"), section, text, KNOWN)]


def test_a_clean_text_has_no_finding():
    text = r"""% words: GPT-5
    On SST-2, with Llama-3.2-1B, F1 and GPT-5, LoRA~\citep[p.~3]{hu2022lora} has
    \accuracyLora{} \% over \seedsCount{} seeds (Table~\ref{tab:1}). % 93.1 in a comment
    \begin{itemize}\item[] $x \le \accuracyLora$\end{itemize}
    \claimLoraAgainstFull{} \assert{claimLoraAgainstFull}{better}
    \whichever{claimLoraAgainstFull}{It is better than before.}{worse than}{}{}"""
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("first\nLoRA has 93.1 \\%", "r.tex:2: '93.1' is typed by hand. Use a macro"),
        ("$p<0.05$", "r.tex:1: '0.05' is typed by hand"),
        ("with 6 seeds", "'6' is typed by hand"),
        ("over six seeds", "'six' is a number in words"),
        ("\\accuracyLra", "unknown macro \\accuracyLra. Did you mean 'accuracyLora'?"),
        ("\\input{/etc/passwd}", "unknown macro \\input"),
        ("\\write18{ls}", "unknown macro \\write"),
        ("\\def\\x{}", "unknown macro \\def"),
        ("\\csname input\\endcsname", "unknown macro \\csname"),
        ("\\begin{input}", "unknown environment 'input'"),
        ("^^5cinput", "'^^' hides characters"),
        ("\\href{run:x}{y}", "a link must start with https://"),
        ("\\citep{hu2022lra}", "no entry 'hu2022lra' in the bibliography. Did you mean"),
        ("LoRA outperforms all", "'outperforms' is a verdict in words. Use a claim's macro"),
        ("significantly", "'significantly' is a verdict in words"),
        (
            "\\assert{claimOther}{better}",
            "asserted to be 'better', but the statistics say 'unclear'",
        ),
        ("\\assert{claimOthr}{better}", "unknown claim 'claimOthr'. Did you mean 'claimOther'?"),
        ("\\whichever{claimOther}{a}{b}{c}{it is better than}", "'better than' is a verdict"),
        ("\\whichever{claimOther}{by 3 points}{b}{c}{d}", "'3' is typed by hand"),
    ],
)
def test_a_gate_closes(text: str, finding: str):
    found = said(text)
    assert any(finding in one for one in found), found


def test_digits_of_other_people_may_stand_in_related_work_only():
    assert said("They report 95.1.", "related_work") == []
    for section in set(SECTIONS) - {"related_work"}:
        assert said("They report 95.1.", section)


def test_a_verdict_in_words_may_be_discussed_where_no_result_is_told():
    assert said("Which is better than the other?", "introduction") == []


def test_our_own_templates_hold_no_digit_and_no_verdict():
    folder = Path(__file__).parents[2] / "src" / "smalltune" / "paper" / "sections"
    import re

    for name in SECTIONS:
        text = (folder / f"{name}.tex.j2").read_text()
        text = re.sub(r"<[<#%].*?[>#%]>", "", text, flags=re.DOTALL)
        found = lint(Path(name), "introduction", text, KNOWN)
        typed = [f for f in found if "typed by hand" in f.message or "in words" in f.message]
        assert [f for f in typed if "'F1'" not in f.message] == [], name
