"""Tables longer than a page: nothing is lost, no block is torn, the first bears the name."""

import re

import pytest

from smalltune.paper.tables import PAGE, table

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


def test_only_the_first_page_bears_the_name_and_the_others_point_to_it():
    text, _ = written(40, 3)
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels[0] == "tab:data" and len(set(labels)) == len(labels) > 2
    assert text.count("What it says.") == 1
    assert text.count(r"Continues Table~\ref{tab:data}.") == len(labels) - 1
