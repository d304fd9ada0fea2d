from cleaning import article, novel

SENTENCE = "The river rises in the hills and flows slowly towards the northern sea."


def lines(*more):
    return "\n".join(more)


def test_headings_and_reference_sections_go_and_the_sections_after_them_stay():
    text = lines(
        "RIVER", SENTENCE, "SEE ALSO", "* Other rivers of the same northern country.",
        "A list of things that are not the river but are still a sentence.",
        "HISTORY", "People have lived on the banks of this river for a very long time.",
    )  # fmt: skip
    assert article(text) == [SENTENCE, text.rpartition("\n")[2]]


def test_lists_tables_markup_and_unfinished_lines_go():
    junk = [
        "* A bullet that looks like a sentence and even ends like one, as some do.",
        '! width=40 align=center evenings and weekends are cheaper than other times.',
        'bgcolor="#DDFFDD"Conference Champions of the year that is meant in this row.',
        "where formula_5 is the magnitude of the event that has been observed there.",
        "It stands at [[the corner]] of a street that nobody remembers any more today.",
        "See http://example.org for the whole list of the rivers of this country.",
        "A line that does not end as a sentence ends because it is a caption",
        "A broken character \ufffd in the middle of a sentence that is otherwise good.",
        "Short.",
    ]  # fmt: skip
    assert article(lines(SENTENCE, *junk)) == [SENTENCE]


def test_a_paragraph_with_a_hole_goes_and_empty_brackets_are_mended():
    holes = [
        "The weight of this species is typically between , though some can weigh more.",
        "An adult of this species can under good conditions weigh up to .",
        "Although the of the Constitution of India states that the president can act.",
    ]
    assert article(lines(*holes)) == []
    mended = "Parmigiano (; ) is a hard cheese (; also grana) that comes from Italy [12]."
    assert article(mended) == ["Parmigiano is a hard cheese (also grana) that comes from Italy."]


def test_other_scripts_go_with_their_brackets_and_quotes_take_one_form():
    text = "Moscow (Russian: Москва, from the river) is “the capital” of Russia—and it’s large."
    assert article(text) == ["""Moscow is "the capital" of Russia - and it's large."""]
    assert article("В начале было слово, и слово было у Бога, как сказано в этой книге.") == []


def test_the_lines_of_a_wrapped_page_become_paragraphs():
    page = lines(
        "CHAPTER I.", "", "It was a bright morning in the early spring of that year, and the",
        "old man had walked down to the harbour, as he always did, to see what",
        "the night had brought.", '"Nothing," said the boy.', "", "He was right in",
        "_that_ at least.",
    )  # fmt: skip
    assert novel(page) == [
        "It was a bright morning in the early spring of that year, and the old man had walked "
        "down to the harbour, as he always did, to see what the night had brought.",
        '"Nothing," said the boy.',
        "He was right in that at least.",
    ]


def test_a_book_of_long_lines_keeps_them_and_mends_broken_ones():
    long = SENTENCE * 3
    text = lines(long, long, "He kept them away", "", "from their own people. " + long, long)
    assert novel(text) == [long, long, "He kept them away from their own people. " + long, long]


def test_contents_and_illustrations_of_a_novel_go():
    text = lines("CONTENTS", "I. BRETTON", "Chapter One", "[Illustration: The", "house.]", SENTENCE)
    assert novel(text) == [SENTENCE]
