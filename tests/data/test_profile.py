"""What columns hold, how labels are spelt, and which words stand for them."""

import pytest

from smalltune.core.errors import DataError
from smalltune.data.labels import alike, is_missing, spellings, words_for
from smalltune.data.profile import Columns, profile, survey


@pytest.mark.parametrize(
    ("values", "words", "guessed"),
    [
        (["0", "1"], ["no", "yes"], True),
        (["1", "0"], ["yes", "no"], True),
        (["0.0", "1.0"], ["no", "yes"], True),
        (["-1", "1"], ["no", "yes"], True),
        (["False", "True"], ["no", "yes"], True),
        (["N", "Y"], ["no", "yes"], True),
        (["0", "1", "2"], ["zero", "one", "two"], True),
        (["-1", "0", "1"], ["-1", "zero", "one"], True),
        (["100", "7"], ["100", "seven"], True),
        (["Sci_Tech", "World"], ["sci tech", "world"], False),
        (["a_b", "a b"], ["a_b", "a b"], False),
        (["1", "spam"], ["1", "spam"], False),
    ],
)
def test_words_stand_for_values_and_no_two_are_the_same(values, words, guessed):
    assert words_for(values) == (dict(zip(values, words, strict=True)), guessed)


def test_three_hundred_numbers_get_three_hundred_words():
    words, _ = words_for([str(n) for n in range(300)])
    assert len(set(words.values())) == 300


def test_a_value_is_spelt_as_a_study_file_may_spell_it():
    assert spellings(1) == ("1",)
    assert spellings(1.5) == ("1.5",)
    assert spellings(False) == ("false", "False")


@pytest.mark.parametrize("value", [None, "", " \t", float("nan"), "NaN", "null", "<NA>"])
def test_nothing_is_no_label(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "none", "NA", "nanny"])
def test_what_is_nearly_nothing_is_a_label(value):
    assert not is_missing(value)


def test_values_that_differ_only_in_case_or_blanks_are_found():
    assert alike(["spam", "ham", " Spam"]) == ("spam", " Spam")
    assert alike(["a b", "a  b"]) == ("a b", "a  b")
    assert alike(["ab", "a b"]) is None


def table(folder, rows, head="key,text,label"):
    path = folder / "t.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_profile_counts_what_columns_hold(tmp_path):
    made = profile(table(tmp_path, [f"k{n},some text {n} {'x' * 300},{n % 3}" for n in range(9)]))
    key, text, label = made.columns.values()
    assert made.rows == 9 and len(made.samples) == 2
    assert key.unique and not label.unique
    assert text.values is None and text.letters == 9 and text.mean > 300
    assert label.values == {"0": 3, "1": 3, "2": 3}


def test_a_survey_names_the_first_row_and_counts_the_others(tmp_path):
    rows = [f"k{n},text {n},{'' if n in (3, 5, 7) else n % 2}" for n in range(9)]
    path = table(tmp_path, rows)
    with pytest.raises(DataError) as error:
        survey(path, Columns(("text",), "label"))
    assert str(error.value) == (
        f"{path}, row 4 (line 5): the column 'label' holds no label: fill it in or drop the row "
        "(2 more rows like it)"
    )


def test_a_survey_keeps_the_order_of_the_labels(tmp_path):
    found = survey(table(tmp_path, ["1,a,x", "2,b,y", "3,c,x"]), Columns(("text",), "label", "key"))
    assert found.order == ["x", "y", "x"]
    assert found.labels == {"x": 2, "y": 1}
