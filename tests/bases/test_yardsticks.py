import json
import lzma
from dataclasses import replace

import keep
import numpy as np
import pytest
import yardsticks
from bases.small import STEPS, tiny_config
from ngram import KneserNey
from records import question
from trained import finished, trained

from smalltune.core.errors import DataError
from smalltune.data.splits import Row
from smalltune.engine.segments import Segments


@pytest.fixture(scope="module")
def llama(made):
    return trained(made / "micro-llama")


@pytest.fixture(scope="module")
def measured(llama):
    return yardsticks.measure(llama)


def test_the_pieces_are_those_that_the_training_counted(llama):
    pieces = llama.segments("train")
    read = yardsticks.seen(llama, pieces)
    assert int(pieces.lengths[read].sum()) == llama.record.facts["tokens"]
    assert len(read) == STEPS * 4 < len(pieces)


def test_other_batches_than_the_trainings_are_refused(llama, made):
    other = trained(made / "micro-llama")
    other.record.facts["tokens"] = llama.record.facts["tokens"] + 1
    with pytest.raises(DataError, match="the training counted"):
        yardsticks.seen(other, other.segments("train"))


def test_pieces_of_a_document_are_joined_and_every_token_is_predicted_once(tmp_path):
    from transformers import AutoTokenizer

    from smalltune.tasks.language_modelling import OwnText

    rows = [Row(f"r{i}", {"text": "a river and a house " * 30}, "") for i in range(3)]
    tokeniser = AutoTokenizer.from_pretrained(tiny_config("micro-llama", tmp_path / "tiny"))
    pieces = OwnText().encode(rows, tokeniser, length=16, chat=False).segments
    whole = yardsticks.continuous(pieces, np.arange(len(pieces)))
    ids = tokeniser(rows[0].fields["text"], add_special_tokens=False)["input_ids"]
    assert [text.tolist() for text in whole] == [[0, *ids, 0]] * 3
    some = np.array([0, 1, 3, 4, 5, len(pieces) - 1])
    runs = yardsticks.continuous(pieces, some)
    assert len(runs) == 3
    predicted = sum(len(pieces[int(i)]) - 1 for i in some)
    assert sum(len(run) - 1 for run in runs) == predicted


def test_the_last_piece_of_a_document_is_not_joined_to_the_first_of_the_next():
    pieces = Segments.of([[0, 5, 6], [6, 7, 0], [0, 8, 0]], [1] * 3, [0, 0, 1])
    runs = yardsticks.continuous(pieces, [0, 1, 2])
    assert [run.tolist() for run in runs] == [[0, 5, 6, 7, 0], [0, 8, 0]]


def test_bits_and_bytes_are_of_the_documents_that_the_base_is_judged_on(llama, measured):
    sample = llama.record.sample()
    assert tuple(measured["items"]) == sample.items
    assert measured["bytes"] == sample.stats[0, :, 1].tolist()
    held, pieces = llama.segments("test"), llama.segments("train")
    model = KneserNey(
        yardsticks.continuous(pieces, yardsticks.seen(llama, pieces)), llama.config["vocab_size"]
    )
    texts = yardsticks.continuous(held, range(len(held)))
    alone = [-model.log_probs([text])[0].sum() / np.log(2) for text in texts]
    np.testing.assert_allclose(measured["ngram_bits"], alone, rtol=1e-8)


def test_xz_gives_the_text_back_and_together_is_smaller_than_apart(measured):
    assert lzma.decompress(yardsticks.squeezed(b"a text")) == b"a text"
    assert measured["xz_together_bits"] < sum(measured["xz_bits"])


def test_bases_that_saw_the_same_tokens_share_one_answer(made, llama):
    bases, reasons = finished(made)
    assert reasons == {}
    assert len({question(base.record) for base in bases}) == 1
    facts = llama.record.facts
    other = replace(llama.record, facts={**facts, "steps": STEPS + 1})
    assert question(other) != question(llama.record)


def test_what_is_measured_is_not_measured_again(workplace, capsys):
    keep.main(workplace)
    path = workplace / "measured.json"
    stored = json.loads(path.read_text())
    assert len(stored["yardsticks"]) == 1
    assert list(stored["experts"]) == [trained(workplace / "micro-deepseek").record.key]
    (only,) = stored["yardsticks"].values()
    only["ngram_bits"] = "kept"
    path.write_text(json.dumps(stored))
    keep.main(workplace)
    assert json.loads(path.read_text()) == stored


def test_a_base_that_is_not_trained_yet_is_named_with_its_command(workplace, capsys):
    import shutil

    shutil.rmtree(workplace / "micro-qwen" / ".smalltune")
    keep.main(workplace)
    said = capsys.readouterr().out
    assert "micro-qwen: not trained yet: `smalltune run bases/micro-qwen`" in said
