"""Looking up runs of words gives what comparing every text with every other would."""

import random

from smalltune.data.splits import DevRule, Parts, Row, carve, normal


def spans(words):
    return {
        " ".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
    }


def test_a_part_is_a_run_of_whole_words_in_their_order():
    parts = Parts(["the film is a long one", "a film"])
    assert all(parts.hold(key) for key in spans(normal("the film is a long one")))
    for key in ("film the", "fil", "he film", "long one a", "a a film", "another"):
        assert not parts.hold(key)
    assert parts.hold("a film") and not parts.hold("a film", longer=True)
    assert parts.hold("film is", longer=True)


def test_random_texts_are_parts_of_one_another_as_their_spans_say():
    rng = random.Random(3)
    texts = [" ".join(rng.choices("abcd", k=rng.randint(1, 6))) for _ in range(150)]
    parts = Parts(texts)
    for key in texts:
        longer = any(key in spans(text.split()) and text != key for text in texts)
        assert parts.hold(key) and parts.hold(key, longer=True) == longer


def test_carving_whole_rows_out_of_a_text_of_a_million_words_takes_no_square_of_it():
    rows = [Row(f"s{i}", {"t": f"sentence {i} stands alone"}, "a") for i in range(20)]
    rows.append(Row("long", {"t": "word " * 1_000_000}, "a"))
    carved = carve(rows, DevRule(rows=20, whole=True))
    assert len(carved.dev) == 20


def test_the_key_of_a_row_is_its_words_or_else_its_signs():
    row = Row("a", {"one": "It's  FINE,", "two": "really!"}, "x")
    assert row.key == "it s fine really" == " ".join(row.words)
    assert Row("b", {"t": " ?! "}, "x").key == "?!"
    assert normal("?!") == ()
