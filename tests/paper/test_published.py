"""Published scores: quoted beside ours, marked as quoted, and checked with line numbers."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from smalltune.api.study import load
from smalltune.core.errors import StudyError
from smalltune.paper import bibliography, rounding
from smalltune.paper.lint import Vocabulary, lint
from smalltune.planning.published import check_citations
from smalltune.planning.reading import read_study

STUDY = """\
question: Which?
tasks:
  reviews: {why: They are short.}
methods:
  majority: {why: The floor.}
seeds: 1
published:
  - task: reviews
    model: BERT-Tiny
    metric: accuracy
    value: 83.2
    where: GLUE's test split
    citation: turc2019compact
"""


def read(tmp_path: Path, old: str = "", new: str = ""):
    assert old in STUDY
    path = tmp_path / "study.yaml"
    path.write_text(textwrap.dedent(STUDY).replace(old, new) if old else STUDY)
    return read_study(path)


def test_a_quoted_value_is_a_number_whose_origin_says_so(built):
    number = json.loads((built.folder / "numbers.json").read_text())[
        "publishedAccuracyBertTinyReviews"
    ]
    assert (number["printed"], number["value"]) == ("83.2 %", pytest.approx(0.832))
    assert number["source"].startswith("quoted from turc2019compact, not measured here")
    assert number["keys"] == [] == number["trials"]


def test_the_table_marks_what_is_quoted_and_has_every_method_of_ours(built):
    text = " ".join((built.folder / "sections" / "results.tex").read_text().split())
    table = text[text.index("\\caption{Published scores beside ours") :]
    quoted, ours = table.index("quoted, not measured here"), table.index("this paper}")
    assert quoted < table.index("\\publishedAccuracyBertTinyReviews") < ours
    assert "\\citep{turc2019compact}" in table[:ours] and "all rows \\& 4 million" in table[:ours]
    for name in ("Majority", "Full", "Lora"):
        assert f"\\cell{{\\accuracy{name}Reviews}}" in table[ours:]
        assert f"\\cell{{\\accuracy{name}ReviewsInterval}}" in table[ours:]
    assert "@article{turc2019compact" in (built.folder / "references.bib").read_text()


def test_a_study_without_quotes_has_no_such_table(view, results, tmp_path):
    from dataclasses import replace

    from smalltune.paper.build import build

    report = build(replace(view, published=()), results, tmp_path / "paper")
    assert "ublished scores" not in (report.folder / "sections" / "results.tex").read_text()


@pytest.mark.parametrize(("value", "text"), [(83.2, "83.2"), (90.0, "90.0"), (83.25, "83.25")])
def test_a_quoted_percentage_keeps_its_digits(value, text):
    assert rounding.quoted(value, percent=True) == text


def test_the_author_takes_the_macro_and_not_the_digits():
    known = Vocabulary(["publishedAccuracyBertTinyReviews"], {}, [], ["BERT-Tiny"])
    good = r"BERT-Tiny has \publishedAccuracyBertTinyReviews{}."
    assert lint(Path("d.tex"), "discussion", good, known) == []
    (found,) = lint(Path("d.tex"), "discussion", "It has 83.2.", known)
    assert "'83.2' is typed by hand" in str(found)


def test_a_quoted_score_is_read(tmp_path):
    (one,) = read(tmp_path).published
    assert (one.task, one.value, one.where, one.note) == ("reviews", 83.2, "GLUE's test split", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("task: reviews", "task: revews", "8: no task 'revews' in this study. Did you mean"),
        ("metric: accuracy", "metric: acuracy", "10: reviews is not scored by 'acuracy'. Did"),
        ("value: 83.2", "value: 0.832", "11: accuracy is given in percent, from 0 to 100, not 0.8"),
        ("value: 83.2", "value: 0.832", "not 0.832: write 83.2"),
        ("value: 83.2", "value: 832", "11: accuracy is given in percent, from 0 to 100, not 832"),
        ("value: 83.2", "value: high", "11: published.0.value must be a number, not 'high'"),
        ("    where: GLUE's test split\n", "", "8: 'where' is missing in published.0"),
        ("citation:", "citaton:", "13: unknown key 'citaton' in published.0. Did you mean 'cita"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, old, new, said):
    with pytest.raises(StudyError, match=re.escape(said)):
        read(tmp_path, old, new)


def test_the_same_score_twice_is_refused(tmp_path):
    entry = STUDY[STUDY.index("  - task") :]
    with pytest.raises(StudyError, match=r"study.yaml:14: accuracy of Bert tiny on reviews stands"):
        read(tmp_path, entry, entry + entry.replace("BERT-Tiny", "Bert tiny"))


def test_a_work_that_the_bibliography_lacks_is_told_with_line_and_nearest_key(tmp_path):
    study = read(tmp_path, "turc2019compact", "turc2019compct")
    said = r"study.yaml:13: no entry 'turc2019compct' .* Did you mean 'turc2019compact'"
    with pytest.raises(StudyError, match=said):
        check_citations(study.published, bibliography.entries(), study.document)


def test_the_paper_checks_the_citation_before_anything_is_written(tmp_path, monkeypatch):
    read(tmp_path, "turc2019compact", "nobody1999")
    with pytest.raises(StudyError, match=r"study.yaml:13: no entry 'nobody1999'"):
        load(tmp_path, tmp_path / "store").paper()
    assert not (tmp_path / "paper").exists()
