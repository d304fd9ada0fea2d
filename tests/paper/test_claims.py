"""Claims: the statistics choose the words, and no macro says more."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from smalltune.analysis.contrasts import BETTER, EQUIVALENT, UNDECIDED, WORSE, Contrast
from smalltune.core.errors import LatexError
from smalltune.paper import naming
from smalltune.paper.build import build
from smalltune.paper.claims import VERDICTS, claims
from smalltune.paper.facts import add_facts
from smalltune.paper.floors import add_floors
from smalltune.paper.measures import add_contrasts, add_scores
from smalltune.paper.numbers import Numbers, plain

NAME = "claimLoraAgainstFullReviews"
VERBS = {
    "better": "has a higher accuracy than",
    "worse": "has a lower accuracy than",
    "equivalent": "are equivalent in accuracy",
    "unclear": "show no reliable difference in accuracy",
}


def sentences(view, results) -> dict[str, tuple[str, str]]:
    numbers = Numbers()
    add_facts(view, results, numbers)
    scores = add_scores(view, results, numbers)
    made = claims(view, add_contrasts(view, results, numbers), numbers)
    floors = [one.claim for one in add_floors(view, scores, numbers)]
    return {c.name: (c.verdict, plain(c.sentence, numbers._printed)) for c in (*made, *floors)}


@pytest.mark.parametrize(
    ("lora", "full", "verdict"),
    [(0.9, 0.7, "better"), (0.7, 0.9, "worse"), (0.8, 0.79, "unclear")],
)
def test_the_sentence_follows_the_statistics(view, make_results, tmp_path, lora, full, verdict):
    found, sentence = sentences(view, make_results(tmp_path, lora=lora, full=full))[NAME]
    assert found == verdict
    assert VERBS[verdict] in sentence
    assert not any(verb in sentence for word, verb in VERBS.items() if word != verdict)
    for part in ("difference", "95 % interval", "exact paired p", "over seeds and items p"):
        assert part in sentence


def test_five_seeds_never_carry_a_claim(view, make_results, tmp_path):
    results = make_results(tmp_path, lora=0.95, full=0.6, seeds=range(5))
    verdict, sentence = sentences(view, results)[NAME]
    assert verdict == "unclear" and "exact paired p = 0.062" in sentence


def test_every_verdict_of_the_analysis_has_its_words(view, results, monkeypatch):
    assert set(VERDICTS) == {BETTER, WORSE, EQUIVALENT, UNDECIDED}
    for verdict, word in VERDICTS.items():
        monkeypatch.setattr(Contrast, "verdict", property(lambda self, v=verdict: v))
        found, sentence = sentences(view, results)[NAME]
        assert found == word and VERBS[word] in sentence


def test_a_lower_loss_is_better_and_called_lower(view, results):
    record = {"primary": "nll", "metrics": ["accuracy", "nll"]}
    results.declared = {**record, "contrasts": [{"a": "lora", "b": "full"}]}
    try:
        found = sentences(replace(view, primary="nll"), results)
    finally:
        results.declared = {"primary": "accuracy", "contrasts": [{"a": "lora", "b": "full"}]}
    verdict, sentence = found[NAME]
    assert verdict == "better" and "has a lower negative log-likelihood than" in sentence


def test_a_method_is_held_against_majority_by_its_whole_interval(view, make_results, tmp_path):
    found = sentences(view, make_results(tmp_path, lora=0.9, full=0.45))
    verdict, sentence = found["claimLoraAgainstMajorityReviews"]
    assert verdict == "better" and "lies above the majority baseline of" in sentence
    verdict, sentence = found["claimFullAgainstMajorityReviews"]
    assert verdict == "unclear" and "does not exclude the majority baseline" in sentence


def test_of_many_methods_one_sentence_says_how_they_lie_to_majority(
    view, make_results, tmp_path, monkeypatch
):
    results = make_results(tmp_path / "store", lora=0.9, full=0.45)
    few = (build(view, results, tmp_path / "few").folder / "sections" / "results.tex").read_text()
    assert r"\claimLoraAgainstMajorityReviews" in few and r"\floorsReviews" not in few
    monkeypatch.setattr(naming, "MANY", 1)
    folder = build(view, results, tmp_path / "many").folder
    many = (folder / "sections" / "results.tex").read_text()
    assert r"\floorsReviews" in many and r"\claimLoraAgainstMajorityReviews" not in many
    number = json.loads((folder / "numbers.json").read_text())["floorsReviews"]
    assert number["value"] == {"full": "unclear", "lora": "better"}
    said = "interval lies above it for LoRA; it does not exclude it for full fine-tuning."
    assert number["printed"].endswith(said)


def test_an_assertion_that_the_data_do_not_carry_stops_the_build(view, make_results, tmp_path):
    results = make_results(tmp_path / "store", lora=0.8, full=0.79)
    text = view.text / "conclusion.tex"
    text.write_text(f"LoRA it is.\n\\assert{{{NAME}}}{{better}}\n")
    with pytest.raises(LatexError) as error:
        build(view, results, tmp_path / "paper")
    assert f"{text}:2: {NAME} is asserted to be 'better'" in str(error.value)
    assert "but the statistics say 'unclear'" in str(error.value)


def test_whichever_prints_the_text_of_the_verdict(view, results, tmp_path):
    branches = "{LoRA first}{LoRA second}{both}{open}"
    (view.text / "discussion.tex").write_text(f"\\whichever{{{NAME}}}{branches}\n")
    folder = build(view, results, tmp_path / "paper").folder
    switch = rf"\\expandafter\\newcommand\\csname which:{NAME}\\endcsname\[4\]{{#1}}"
    assert re.search(switch, (folder / "numbers.tex").read_text())
    assert_prints(folder, "LoRA first", "LoRA second")


def assert_prints(folder: Path, wanted: str, unwanted: str) -> None:
    """Hold the words of the PDF, where there is one and a tool to read it."""
    import shutil
    import subprocess

    if (folder / "paper.pdf").is_file() and shutil.which("pdftotext"):
        command = ["pdftotext", str(folder / "paper.pdf"), "-"]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert wanted in words and unwanted not in words


def test_where_too_few_seeds_are_paired_no_exact_p_is_spoken_of(view, make_results, tmp_path):
    results = make_results(tmp_path, lora=0.9, full=0.7, seeds=(0,))
    _, sentence = sentences(view, results)[NAME]
    assert "exact" not in sentence
    _, paired = sentences(view, make_results(tmp_path / "six", lora=0.9, full=0.7))[NAME]
    assert "exact paired" in paired
