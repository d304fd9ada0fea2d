"""Wording: what the generated text and the figures say is what the program did."""

import importlib.metadata
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from smalltune.paper import latex
from smalltune.paper.build import build
from smalltune.paper.bundle import _dependencies, _requirements
from smalltune.paper.escape import escape, identifier
from smalltune.paper.examples import short_title
from smalltune.paper.figures import contrast, curves, scores, titled


def section(built, name: str) -> str:
    return " ".join((built.folder / "sections" / f"{name}.tex").read_text().split())


@pytest.fixture
def drawn(view, results):
    """Return the function that draws a figure with the titles of the paper."""

    def draw(figure):
        with titled({method.name: method.title for method in view.methods}):
            return figure.draw(results).axes[0]

    return draw


def test_the_intervals_are_said_to_be_what_they_are(built):
    text = section(built, "related_work")
    assert "two-way jackknife over seeds and items, so that nothing is resampled" in text
    assert "we resample" not in text and "and resample" not in text


def test_no_more_is_said_of_tuning_than_is_known(built):
    text = section(built, "appendix") + section(built, "limitations")
    assert "No hyperparameter was searched for within the study" in text
    assert not re.search(r"(None|No hyperparameter) was tuned", text)


def test_times_say_what_they_add_up_and_what_they_leave_out(built):
    text = section(built, "setup")
    assert "Added up over all jobs of the trials, the running time is" in text
    assert "preparation and tokenisation of the data are not counted" in text
    assert "without a language model, of fitting and predicting together" in section(
        built, "results"
    )


def test_the_cost_table_says_which_clock_each_time_is_of(built):
    text = section(built, "results")
    assert "wall time of the training loop" in text
    assert "CPU time is processor time of training and all predictions, with the loading" in text
    assert "Workers share the machine, so wall time can exceed it." in text


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ((2, 4), "each tuned method with the same number of candidates, \\candidatesFull{}"),
        ((2, 4, 8), "with these numbers of candidates: \\candidatesFull{} for full fine-{}tuning "
         "and \\candidatesLora{} for LoRA"),
    ],
)  # fmt: skip
def test_as_many_candidates_are_said_only_of_methods_that_have_as_many(
    view, results, tmp_path, monkeypatch, tried, said
):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    full = replace(view.methods[1], tuned={"learning_rate": (0.1, 0.2)}, candidates=2)
    lora = replace(view.methods[2], tuned={"rank": tried}, candidates=len(tried))
    tuned = replace(view, methods=(view.methods[0], full, lora), tuned=True)
    report = build(tuned, results, tmp_path / "paper")
    text = section(report, "setup")
    assert f"among the values in the study file (Table~\\ref{{tab:settings}}), {said}." in text
    assert ("same number" in text) == (len(tried) == 2)
    assert "among the values in the study file" in section(report, "abstract")
    records = json.loads((report.folder / "numbers.json").read_text())
    assert [records[f"candidates{m}"]["value"] for m in ("Full", "Lora")] == [2, len(tried)]


def test_a_narrow_column_has_a_title_that_fits_and_never_a_raw_name():
    assert short_title("From scratch", "from_scratch") == "From scratch"
    assert short_title("Full fine-tuning", "full") == "Full"
    assert "_" not in short_title("Another, longer title", "another_one")


def test_no_column_ends_within_the_text_of_the_provenance(built):
    text = section(built, "appendix")
    (kept,) = re.findall(r"\\begin\{samepage\}.*?\\end\{samepage\}", text)
    assert "The program walks back" in kept and "\\texttt{numbers.tex}.\\par" in kept


def test_prose_has_a_typographic_apostrophe_and_names_a_straight_one():
    assert escape("it's") == r"it\textquoteright{}s"
    assert identifier("it's") == r"\texttt{it\textquotesingle{}s}"


def test_rationale_and_reason_are_told_apart(built):
    assert "Why here: The reference." in section(built, "methods")


def test_label_words_stand_in_quotation_marks(built):
    assert "the label words are ``negative'' and ``positive''." in section(built, "setup")


def test_the_tables_say_what_they_list(built):
    assert r"\caption{Size and architecture of the base model" in section(built, "models")
    head = section(built, "results")
    assert "Seeds and items $p$" in head and "& Item $p$" not in head


def test_no_float_of_the_text_or_of_the_appendix_stands_among_the_references(built):
    text = (built.folder / "paper.tex").read_text()
    assert re.search(r"conclusion}\n\n\\settlefloats\n{\\small\n\\bibliographystyle", text)
    assert "\\FloatBarrier\n\\suppressfloats[t]\n\\appendix" in text
    assert r"\newcommand{\FloatBarrier}{\clearpage}" in text  # where placeins is not installed


def test_the_results_tell_each_claim_once_and_the_discussion_refers_to_them(built):
    told = re.findall(r"\\(claim\w+)", section(built, "results"))
    assert told and len(told) == len(set(told))
    text = section(built, "discussion")
    assert "\\claim" not in text.replace("\\whichever{claim", "")
    assert r"LoRA and full fine-{}tuning on Reviews, accuracy (Table~\ref{tab:contrasts})" in text


def test_figures_name_methods_as_the_tables_do(drawn):
    ticks = [label.get_text() for label in drawn(scores).get_yticklabels()]
    assert ticks == ["Majority", "Full fine-tuning", "LoRA"]
    legend = [text.get_text() for text in drawn(curves).figure.legends[0].get_texts()]
    assert legend == ["Full fine-tuning", "LoRA"]
    (label,) = drawn(contrast).get_yticklabels()
    assert label.get_text().split() == ["LoRA", "\N{MINUS SIGN}", "Full", "fine-tuning"]


def test_figures_have_the_paper_s_kind_of_letters(drawn):
    (label,) = drawn(contrast).get_yticklabels()
    assert label.get_fontfamily()[0] == "STIXGeneral"


def test_late_losses_can_be_told_apart(drawn):
    axes = drawn(curves)
    axes.figure.canvas.draw()
    assert axes.get_yscale() == "log"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert {"0.1", "0.2", "0.5"} & set(labels) and not any("$" in label for label in labels)


def test_every_requirement_that_is_installed_is_pinned(view, results):
    text = _requirements(_dependencies(), view, results)
    for line in _dependencies():
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        assert re.search(rf"^{re.escape(name)}==\d", text, re.MULTILINE), name
    assert "pinned are the versions that the runs used" not in text


def test_a_method_that_draws_all_weights_anew_is_not_said_to_start_from_a_base(
    view, results, tmp_path, monkeypatch
):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    scratch = replace(view.methods[1], title="From scratch", keeps_base=False)
    methods = (view.methods[0], scratch, view.methods[2])
    report = build(replace(view, methods=methods), results, tmp_path / "paper")
    said = "From scratch takes only the architecture and the tokeniser; its weights are drawn anew"
    assert said in section(report, "models")
    assert "new parameters (of all parameters for From scratch)" in section(report, "setup")
    for name in ("results", "methods", "appendix", "abstract", "conclusion"):
        assert "pre-train" not in section(report, name).replace("{}", "")


def test_what_a_method_does_on_some_models_alone_is_said_of_these(
    view, results, tmp_path, monkeypatch
):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    told = replace(view.methods[2], remarks={"it takes 50% of it": ("Micro_A", "Micro B")})
    methods = (*view.methods[:2], told)
    report = build(replace(view, methods=methods), results, tmp_path / "paper")
    said = section(report, "methods")
    assert r"On Micro\_A and Micro B it takes 50\% of it. Why here: Cheap." in said
    assert said.count(" On ") == 1


def test_with_one_seed_nothing_is_said_to_be_paired(view, make_results, tmp_path, monkeypatch):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    results = make_results(tmp_path / "store", lora=0.9, full=0.7, seeds=[0])
    report = build(replace(view, seeds=(0,)), results, tmp_path / "paper")
    assert "over a single seed and" in section(report, "abstract")
    for path in (report.folder / "sections").glob("*.tex"):
        if path.stem != "appendix":
            said = " ".join(path.read_text().split())
            assert "paired seeds" not in said, path.stem
            assert "seeds and test items" not in said and "both the seeds" not in said.lower()
    assert "What another seed would have given they do not cover" in section(report, "setup")
    assert "seed by seed" not in section(report, "results")
    assert "with one seed, as here, nothing can be said of that" in section(report, "related_work")


def test_with_several_seeds_the_intervals_are_said_to_cover_them(
    view, make_results, tmp_path, monkeypatch
):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    results = make_results(tmp_path / "store", lora=0.9, full=0.7, seeds=[0, 1])
    report = build(replace(view, seeds=(0, 1)), results, tmp_path / "paper")
    assert "Both the seeds and the test items are samples" in section(report, "setup")
    assert "What another seed" not in section(report, "setup")
    assert "with one seed" not in section(report, "related_work")


def test_an_energy_keeps_its_digits():
    from smalltune.paper.rounding import energy

    said = [energy(joules) for joules in (0.01, 45.3, 999.0, 5_700.0, float("nan"))]
    assert said == [
        (r"$<$\,0.1", "J"), ("45.3", "J"), ("999.0", "J"), ("5.7", "kJ"), ("--", ""),
    ]  # fmt: skip


def test_templates_are_set_up_in_one_place():
    package = Path(latex.__file__).parent
    found = [p.name for p in package.rglob("*.py") if "jinja2.Environment(" in p.read_text()]
    assert found == ["templates.py"]
