"""Cuts that are found by reading a few words are those that bisection finds."""

import random

import pytest

from smalltune.models.cutting import Cutter
from smalltune.models.families import Prompts
from smalltune.models.loading import load_tokeniser
from smalltune.models.near_cuts import joints_of

WORDS = ["film", "unbelievably", "a", "1984", "--", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "\n"]
CHAT = (
    "{% for m in messages %}<{{ m.role }}>Answer as a good friend would.\n{{ m.content }}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
ODD = [
    "x" * 3000, " " * 3000, "a b" * 900, "\n" * 3000, "no space but one " + "y" * 3000,
    "\N{GRINNING FACE}" * 900, "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 900 + " end", "7 " * 2000,
]  # fmt: skip


@pytest.fixture
def tokeniser(tiny_folder):
    return load_tokeniser(tiny_folder)


def texts(seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 900))) for _ in range(40)] + ODD


def both(tokeniser, rows, template, room, uncut=frozenset(), *, chat=False):
    """Return what is cut near the place and by bisection, and the characters read for each."""
    prompts, found, read = Prompts(tokeniser, chat), [], []
    for decode in (joints_of(tokeniser), None):
        size = 0

        def encode(shown):
            nonlocal size
            size += sum(map(len, shown))
            return prompts.encode(shown)

        cutter = Cutter(lambda row: template.format(**row), encode, room, uncut, decode=decode)
        found.append(cutter.fit(rows))
        read.append(size)
    return *found, *read


@pytest.mark.parametrize("room", [24, 64, 200])
@pytest.mark.parametrize("template", ["{t}\nIt is", "Read this and say it in a word: {t} :", "{t}"])
def test_near_the_place_is_found_what_bisection_finds(tokeniser, room, template):
    rows = [{"t": text} for text in texts(room)]
    near, bisected, *_ = both(tokeniser, rows, template, room)
    assert near == bisected
    assert sum(len(ids) <= room for ids in near[0]) == len(rows)


def test_in_a_chat_and_beside_a_question_too(tokeniser):
    tokeniser.chat_template = CHAT
    rows = [{"t": text, "q": f"what is it {n % 7} times"} for n, text in enumerate(texts(1))]
    found = both(tokeniser, rows, "{q}\n{t}\n{q}?", 120, frozenset({"q"}), chat=True)
    assert found[0] == found[1]


def test_long_texts_are_read_much_less(tokeniser):
    rng = random.Random(0)
    rows = [{"t": " ".join(rng.choices(WORDS[:5], k=1500))} for _ in range(30)]
    near, bisected, read, plain = both(tokeniser, rows, "{t}\nSummary:", 256)
    once = sum(len(row["t"]) for row in rows)
    assert near == bisected
    assert (read - once) * 2 < plain - once


@pytest.mark.parametrize(
    ("more", "joints"),
    [
        ([], True),
        (["\u0120in", "\u010a\u0120\u0120", "\u2581a", "\u2581\u2581"], True),
        (["of\u0120the"], False),
        (["b\u2581c"], False),
        ([") "], False),
    ],
)
def test_a_vocabulary_whose_words_cross_a_space_has_no_joints(tokeniser, more, joints, monkeypatch):
    """As SuperBPE's: there, what stands before a space depends on what follows."""
    known = tokeniser.get_vocab()
    monkeypatch.setattr(tokeniser, "get_vocab", lambda: {**known, **dict.fromkeys(more, 1)})
    assert (joints_of(tokeniser) is not None) == joints
