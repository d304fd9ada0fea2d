"""Prompts are cut as trying every length one after the other on the whole text would."""

import random

import pytest

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load
from smalltune.data.splits import Row
from smalltune.models import cutting
from smalltune.models.cutting import Cutter, batch
from smalltune.models.families import Prompts
from smalltune.models.loading import load_tokeniser


@pytest.fixture(scope="module")
def tokeniser(tiny_folder):
    return load_tokeniser(tiny_folder)


def texts(count, longest):
    rng = random.Random(1)
    words = ["film", "unbelievably", "a", "1984", "--", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"]
    return [" ".join(rng.choices(words, k=rng.randint(1, longest))) for _ in range(count)]


def plain(text, prompts, room):
    """Bisect on the whole text, one prompt after the other."""
    low, high, best = 0, len(text), None
    while low <= high:
        middle = (low + high) // 2
        ids = prompts.encode([text[:middle] + "\nIt is"])[0]
        low, high, best = (middle + 1, high, ids) if len(ids) <= room else (low, middle - 1, best)
    return best


def test_a_batch_is_cut_as_each_text_by_itself(tokeniser):
    prompts, some = Prompts(tokeniser), texts(60, 200)
    cutter = Cutter(lambda fields: fields["t"] + "\nIt is", prompts.encode, 48)
    tokens, lengths = cutter.fit([{"t": text} for text in some])
    whole = prompts.encode([text + "\nIt is" for text in some])
    assert [length > 48 for length in lengths] == [len(ids) > 48 for ids in whole]
    assert 10 < sum(length > 48 for length in lengths) < 60
    assert tokens == [
        ids if len(ids) <= 48 else plain(text, prompts, 48)
        for ids, text in zip(whole, some, strict=True)
    ]


@pytest.mark.parametrize(
    "text", ["a fine film " * 400, " " * 3000 + "fine " * 40, "\n" * 900, "x" * 4000 + " y" * 99]
)
def test_looking_at_the_beginning_of_a_long_text_first_changes_nothing(
    tokeniser, text, monkeypatch
):
    prompts = Prompts(tokeniser)
    cutter = Cutter(lambda fields: fields["t"] + "\nIt is", prompts.encode, 32)
    found = []
    for characters in (1, 4, 16, 1_000_000):
        monkeypatch.setattr(cutting, "CHARACTERS", characters)
        found.append(cutter.fit([{"t": text}])[0][0])
    whole = prompts.encode([text + "\nIt is"])[0]
    expected = whole if len(whole) <= 32 else plain(text, prompts, 32)
    assert found == [expected] * 4


def test_of_ten_megabytes_little_is_tried_and_the_rest_is_counted_in_pieces(tokeniser):
    seen = []

    def encode(prompts):
        seen.extend(map(len, prompts))
        return Prompts(tokeniser).encode(prompts)

    cutter = Cutter(lambda fields: fields["t"] + "\nIt is", encode, 64)
    tokens, lengths = cutter.fit([{"t": "word " * 2_000_000}])
    assert len(tokens[0]) <= 64
    assert lengths[0] == pytest.approx(2_000_000 * count_of(tokeniser, " word"), rel=1e-3)
    assert max(seen) < cutting.AT_ONCE + 100
    assert sum(seen) < 10_000_000 + 20_000


def count_of(tokeniser, text):
    return len(batch(tokeniser, [text])[0])


@pytest.mark.parametrize("chat", [False, True])
def test_the_reported_length_is_that_of_the_whole_prompt(tokeniser, monkeypatch, chat):
    """Two texts of different lengths, both longer than what is tried and than a piece."""
    monkeypatch.setattr(cutting, "AT_ONCE", 20_000)
    monkeypatch.setattr(
        tokeniser, "chat_template", "{% for m in messages %}U: {{ m.content }}\nA:{% endfor %}"
    )
    prompts = Prompts(tokeniser, chat)

    def render(fields):
        return f"{fields['one']}\n{fields['other']}\nIt is"

    rows = [
        {"one": " ".join(texts(800, 50)), "other": " ".join(texts(300, 50))},
        {"one": "short", "other": " ".join(texts(1000, 50))},
        {"one": "short", "other": "too"},
    ]
    _, lengths = Cutter(render, prompts.encode, 48).fit(rows)
    whole = [len(ids) for ids in prompts.encode(map(render, rows))]
    assert min(whole[:2]) > 20_000 and whole[2] < 48
    assert lengths == pytest.approx(whole, rel=1e-3)


def two(**options):
    made = {"text": ("premise", "claim"), "labels": {"0": "no", "1": "yes"}}
    made["prompt"] = "{premise}\nIs it so that {claim}?\nAnswer:"
    return load("smalltune.tasks", "classification")(**made | options)


def test_of_two_texts_the_longer_loses_its_end_and_the_prompt_nothing(tokeniser):
    long, short = "word " * 400, "a claim of five words"
    rows = [
        Row("a", {"premise": long, "claim": short}, "yes"),
        Row("b", {"premise": short, "claim": long}, "no"),
        Row("c", {"premise": long, "claim": long}, "no"),
    ]
    encoded = two().encode(rows, tokeniser, length=64, chat=False)
    assert encoded.truncated == 3 and encoded.segments.lengths.max() <= 63
    first, second, third = (tokeniser.decode(encoded.segments[i][1:]) for i in range(3))
    assert first.endswith(f"\nIs it so that {short}?\nAnswer:") and first.startswith("word word")
    assert second.startswith(f"{short}\nIs it so that word word")
    for prompt in (second, third):
        assert prompt.endswith("?\nAnswer:") and "\nIs it so that word" in prompt
    answers = two().answers(tokeniser, chat=False)
    learned = two().training(encoded.segments, answers)
    assert [tokeniser.decode(learned[i]).split()[-1] for i in range(3)] == ["yes", "no", "no"]


def test_a_prompt_that_does_not_fit_without_its_texts_is_an_error(tokeniser):
    cutter = Cutter(lambda fields: fields["t"] + " word" * 50, Prompts(tokeniser).encode, 32)
    with pytest.raises(StudyError, match="the prompt alone does not fit into a context of 32"):
        cutter.fit([{"t": "a"}])


def test_asking_the_library_directly_gives_transformers_tokens(tokeniser):
    some = [*texts(20, 60), "<|endoftext|> inside", "", "  two  spaces  "]
    tokeniser(some[:2], truncation=True, max_length=5, padding=True)  # leaves settings behind
    for special in (True, False):
        plain = tokeniser(some, add_special_tokens=False, split_special_tokens=not special)
        assert batch(tokeniser, some, special=special) == plain["input_ids"]


def test_a_text_that_is_not_to_be_cut_stays_whole_though_it_is_the_longer(tokeniser):
    question, passage = "which of the many words is the last one " * 3, "fine " * 40
    rows = [{"q": question, "p": passage}, {"q": question, "p": "short"}]

    def render(fields):
        return f"{fields['p']}\n{fields['q']}\nAnswer:"

    prompts = Prompts(tokeniser)
    tokens, lengths = Cutter(render, prompts.encode, 64, frozenset({"q"})).fit(rows)
    assert lengths[0] > 64 >= len(tokens[0])
    assert lengths[1] == len(tokens[1]) <= 64
    for ids in tokens:
        assert tokeniser.decode(ids).endswith(f"\n{question}\nAnswer:")
    one_more = next(
        n for n in range(len(passage)) if passage[:n] not in tokeniser.decode(tokens[0])
    )
    assert len(prompts.encode([render({"q": question, "p": passage[:one_more]})])[0]) > 64
    with pytest.raises(StudyError, match="the prompt alone with its q does not fit into a context"):
        Cutter(render, prompts.encode, 16, frozenset({"q"})).fit(rows)
    rows = [{"q": "short", "p": passage}, *rows]
    with pytest.raises(StudyError, match=r"^item 'train-2' and 1 more: the prompt alone"):
        Cutter(render, prompts.encode, 16, frozenset({"q"})).fit(rows, ["train-1", "train-2", "b"])


def test_of_ten_megabytes_beside_an_uncut_question_the_rest_is_counted_in_pieces(tokeniser):
    rows = [{"q": "what is it", "p": "word " * 1_000_000}]
    cutter = Cutter(lambda f: f"{f['p']}\n{f['q']}", Prompts(tokeniser).encode, 64, frozenset("q"))
    tokens, lengths = cutter.fit(rows)
    assert tokeniser.decode(tokens[0]).endswith("\nwhat is it")
    assert lengths[0] == pytest.approx(1_000_000 * count_of(tokeniser, " word"), rel=1e-3)


def test_boolq_never_loses_its_question(tokeniser):
    task = load("smalltune.tasks", "boolq")()
    question = "is " + "really " * 20 + "all of it true"
    rows = [Row("a", {"passage": "word " * 100, "question": question}, "yes")]
    encoded = task.encode(rows, tokeniser, length=96, chat=False)
    assert encoded.truncated == 1
    asked = tokeniser.decode(encoded.segments[0])
    assert asked.endswith(f"\nQuestion: {question}?\nAnswer:") and "word word" in asked


def test_a_text_may_lose_its_start_instead(tokeniser, monkeypatch):
    prompts, some = Prompts(tokeniser), texts(30, 200)

    def render(fields):
        return fields["t"] + "\nIt is"

    found = []
    for characters in (1, 64):
        monkeypatch.setattr(cutting, "CHARACTERS", characters)
        cutter = Cutter(render, prompts.encode, 48, keep_end=True)
        found.append(cutter.fit([{"t": text} for text in some])[0])
    assert found[0] == found[1]
    for text, ids in zip(some, found[0], strict=True):
        kept = tokeniser.decode(ids).removeprefix("<|endoftext|>").removesuffix("\nIt is")
        assert text.endswith(kept) and len(ids) <= 48
        longer = text[len(text) - len(kept) - 1 :] if kept != text else ""
        assert not longer or len(prompts.encode([render({"t": longer})])[0]) > 48
    whole = " ".join(texts(800, 50))
    monkeypatch.setattr(cutting, "AT_ONCE", 20_000)
    _, lengths = cutter.fit([{"t": whole}])
    assert lengths == [pytest.approx(len(prompts.encode([render({"t": whole})])[0]), rel=1e-3)]
