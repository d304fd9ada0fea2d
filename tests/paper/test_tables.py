"""Tables longer than a page: nothing is lost, no block is torn, the first bears the name."""

import re

import pytest

from smalltune.paper.tables import ACROSS, PAGE, table

HEAD = ["Method", "Score"]


def written(blocks: int, rows: int) -> tuple[str, list[str]]:
    """Return a table of blocks, each a heading and some rows, and what stands in its cells."""
    lines: list[list[str]] = []
    for block in range(blocks):
        lines += [[f"T{block}"], *([f"t{block}r{row}", "--"] for row in range(rows))]
    return table("data", "What it says.", "lr", HEAD, lines), [line[0] for line in lines]


def pages(text: str) -> list[list[str]]:
    """Return the first cells of each float, in order."""
    return [re.findall(r"\b[Tt]\d+(?:r\d+)?\b", part) for part in text.split("\\begin{table}")[1:]]


@pytest.mark.parametrize(("blocks", "rows"), [(1, 3), (17, 3), (30, 4), (2, 70), (51, 1)])
def test_every_row_stands_once_and_in_order_on_pages_that_hold_it(blocks, rows):
    text, cells = written(blocks, rows)
    found = pages(text)
    assert [cell for page in found for cell in page] == cells
    assert max(map(len, found)) <= PAGE
    assert len(found) == 1 if len(cells) <= PAGE else len(found) > 1


def test_a_task_is_not_parted_from_its_rows():
    text, _ = written(17, 3)
    assert all(page[0].startswith("T") for page in pages(text))


def test_a_few_rows_at_the_end_stay_where_there_is_room_for_them():
    lines = [
        row for block in (22, 22, 2, 2, 2) for row in ([["T0"]] + [["t0r0", "--"]] * (block - 1))
    ]
    text = table("data", "What it says.", "lr", HEAD, lines)
    assert list(map(len, pages(text))) == [PAGE]


def test_only_the_first_page_bears_the_name_and_the_others_point_to_it():
    text, _ = written(40, 3)
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels[0] == "tab:data" and len(set(labels)) == len(labels) > 2
    assert text.count("What it says.") == 1
    assert text.count(r"Continues Table~\ref{tab:data}.") == len(labels) - 1


@pytest.mark.parametrize("many", [1, ACROSS, ACROSS + 1, 3 * ACROSS])
def test_more_columns_than_can_be_read_are_continued_beside_the_first_again(many):
    rows = [["T0"], *([f"t0r{r}", *(f"c{r}x{c}" for c in range(many))] for r in range(3))]
    head = ["Method", *(f"h{c}" for c in range(many))]
    text = table("errors", "What it says.", "l" + "r" * many, head, rows)
    parts = text.split("\\begin{table}")[1:]
    assert len(parts) == -(-many // ACROSS)
    assert re.findall(r"h(\d+)", text) == [str(c) for c in range(many)]
    for part in parts:
        assert pages("\\begin{table}" + part) == [["T0", "t0r0", "t0r1", "t0r2"]]
        spec = re.search(r"@\{\}(\w+)@\{\}", part)
        assert spec and len(spec[1]) == 1 + len(re.findall(r"c0x\d+", part)) <= 1 + ACROSS
