"""Numbers: names made of letters, one rounding, an origin for each."""

import json

import pytest

from smalltune.analysis.results import read
from smalltune.core.errors import LatexError
from smalltune.paper import rounding
from smalltune.paper.measures import add_costs
from smalltune.paper.numbers import Number, Numbers, macro_name, plain


def test_a_macro_name_holds_letters_only_and_spells_digits():
    assert macro_name("accuracy", "lora", "sst2") == "accuracyLoraSstTwo"
    assert macro_name("macro_f1", "tf-idf", "Überblick 10") == "macroFOneTfIdfUberblickOneZero"


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (rounding.score(0.8123, percent=True), "81.2"),
        (rounding.score(0.8123, percent=False), "0.812"),
        (rounding.score(-9.87654, percent=False), "$-$9.877"),
        (rounding.score(28.39556, percent=False), "28.40"),
        (rounding.score(1234.56, percent=False), "1,235"),
        (rounding.score(28395.566, percent=False), "28,400"),
        (rounding.difference(0.0123, percent=True), "$+$1.2"),
        (rounding.difference(-0.0123, percent=True), "$-$1.2"),
        (rounding.difference(-0.0001, percent=True), "0.0"),
        (rounding.bound(-0.0123, percent=True), "$-$1.2"),
        (rounding.bound(-0.0003, percent=True), "$-$0.0"),
        (rounding.bound(0.0003, percent=True), "$+$0.0"),
        (rounding.bound(-0.0003, percent=False), "$-$0.000"),
        (rounding.bound(0.0, percent=True), "0.0"),
        (rounding.p_value(2 / 64), "0.031"),
        (rounding.p_value(0.0004), r"$<$\,0.001"),
        (rounding.p_value(0.0502), "0.0502"),
        (rounding.p_value(1.0), "1.000"),
        (rounding.count(67349), "67,349"),
        (rounding.setting(0.0005), "0.0005"),
        (rounding.setting(5e-05), r"$5\times10^{-5}$"),
        (rounding.setting(16.0), "16"),
        (rounding.duration(90.04), ("90.0", "s")),
        (rounding.duration(150), ("2.5", "min")),
        (rounding.megabytes(512_000_000), "512"),
    ],
)
def test_there_is_one_rounding(printed: object, text: object):
    assert printed == text


@pytest.mark.parametrize(
    "function", [rounding.count, rounding.p_value, rounding.megabytes, rounding.setting]
)
def test_undefined_is_a_dash_and_never_zero(function):
    assert function(float("nan")) == function(None) == "--"


def test_an_end_that_is_not_defined_has_no_sign():
    assert rounding.bound(float("nan"), percent=True) == rounding.bound(None, percent=True) == "--"


def test_a_dash_has_no_unit_and_is_null_in_json():
    number = Number("x", float("nan"), "--", "nothing", unit="%")
    assert number.macro() == r"\newcommand{\x}{\stnum{--}{}}"
    assert number.record()["value"] is None


def test_two_numbers_of_one_name_are_refused():
    numbers = Numbers()
    numbers.add(Number("loraEight", 1, "1", "of lora8"))
    numbers.add(Number("loraEight", 1, "1", "of lora8"))
    with pytest.raises(LatexError, match=r"two numbers would be called \\loraEight"):
        numbers.add(Number("loraEight", 2, "2", "of lora-8"))


def test_every_number_has_an_origin(built):
    records = json.loads((built.folder / "numbers.json").read_text())
    assert len(records) == built.numbers > 200
    for name, record in records.items():
        assert name.isalpha() and record["what"], name
        assert record["keys"] or record["source"], name


def test_every_number_macro_is_defined_once(built):
    lines = (built.folder / "numbers.tex").read_text().splitlines()
    names = [line.split("{")[1].strip("\\}") for line in lines if line.startswith("\\newcommand")]
    records = json.loads((built.folder / "numbers.json").read_text())
    assert sorted(names) == sorted(records)


def test_latex_becomes_plain_text_again():
    known = {"a": r"$-$1.2\ points", "b": r"fine-{}tuning 5\,\%"}
    text = plain(r"\emph{So}: \a, \b{}, $p$ $<$\,0.001, \unprintable{U+1F600}", known.get)
    assert text == "So: \N{MINUS SIGN}1.2 points, fine-tuning 5 %, p < 0.001, [U+1F600]"


def test_forecasts_are_numbers_where_there_were_any(view, make_results, tmp_path):
    results = make_results(tmp_path / "store", lora=0.9, full=0.7)
    before, after = Numbers(), Numbers()
    add_costs(view, results, before)
    assert "forecastTime" not in before
    trials = {
        trial.id: {"score": trial.score, "seconds": 1.0, "peak_memory_bytes": 256e6}
        for trial in results.trials
    }
    results.store.write_forecasts(results.study, trials)
    add_costs(view, read(results.store, results.store.read_plan(results.study)), after)
    assert after["forecastPeakMemory"].text == "0.50"
    assert after["forecastTimeTrials"].value == len(after["forecastTime"].trials) > 0
