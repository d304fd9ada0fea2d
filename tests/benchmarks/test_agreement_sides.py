"""The two sides of an agreement: a study's stored answers beside whole logits, and lm-eval's."""

import json
from dataclasses import replace

import numpy as np
import pytest
from agreement import ours, theirs
from agreement.answers import log_softmax
from agreement.sets import SETS

TEXTS = ("a fine film", "dull , long and loud", "it 's all right", "nobody laughed")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Rows of the three kinds of data, by role."""
    folder = tmp_path_factory.mktemp("rows")
    rows = {
        "sst2": [{"sentence": f"{text} {n}", "label": n % 2} for n, text in enumerate(TEXTS * 6)],
        "boolq": [
            {"passage": f"{text} {n}", "question": f"is it {n}", "answer": n % 3 == 0}
            for n, text in enumerate(TEXTS * 6)
        ],
        "squad": [
            {"context": text, "question": f"What is {n}?", "answer": n % 4,
             "choices": ["one", f"number {n}", "the caf\N{LATIN SMALL LETTER E WITH ACUTE}", "no"]}
            for n, text in enumerate(TEXTS * 6)
        ],
    }  # fmt: skip
    made = {}
    for name, lines in rows.items():
        for role, part in (("train", lines[:9]), ("dev", lines[9:18]), ("test", lines[18:])):
            path = folder / f"{name}-{role}.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in part))
            made.setdefault(name, {})[role] = path
    return made


@pytest.fixture(scope="module")
def study(tmp_path_factory, tiny_folder, files):
    text = ours.study_file(str(tiny_folder), SETS, files, 200)
    return ours.run_study(tmp_path_factory.mktemp("agreement") / "study", text, 1)


class Plain:
    """What lm-eval's model does, one text at a time by Transformers."""

    def __init__(self, folder):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokeniser = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def _encode_pair(self, context, continuation):
        spaces = context[len(context.rstrip()) :]
        context, continuation = context.rstrip(), spaces + continuation
        before = self.tokeniser(context)["input_ids"]
        return before, self.tokeniser(context + continuation)["input_ids"][len(before) :]

    def log_likelihood(self, context, continuation):
        import torch

        before, after = self._encode_pair(context, continuation)
        with torch.inference_mode():
            log_probs = self.model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        return sum(float(log_probs[len(before) + i - 1, t]) for i, t in enumerate(after))


def samples(plain, each, path):
    """lm-eval's samples of a set, made by hand."""
    from jinja2 import Template

    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        choices = each.asked["doc_to_choice"]
        choices = row[choices] if isinstance(choices, str) else choices
        asked = Template(each.asked["doc_to_text"]).render(**row)
        delimiter = each.asked.get("target_delimiter", " ")
        arguments = [(asked, delimiter + choice) for choice in choices]
        sums = [plain.log_likelihood(*pair) for pair in arguments]
        sizes = {"acc": [1] * len(choices), "acc_norm": [len(c) for c in choices],
                 "acc_bytes": [len(c.encode()) for c in choices]}  # fmt: skip
        gold = int(row["label"] if "label" in row else row["answer"])
        scored = {m: float(np.argmax(np.array(sums) / sizes[m]) == gold) for m in each.metrics}
        found.append(
            {"arguments": arguments, "filtered_resps": [(s, False) for s in sums], **scored}
        )
    return found


@pytest.mark.parametrize("each", SETS, ids=lambda each: each.name)
def test_the_answers_of_a_study_are_those_of_whole_logits(each, study, files, tiny_folder):
    from smalltune.models.loading import load_model

    plain = Plain(tiny_folder)
    mine = ours.answers(study, each, load_model(tiny_folder))
    other = theirs.answers(plain, each, samples(plain, each, files[each.data]["test"]))
    assert mine.asked == other.asked and mine.cut == 0
    np.testing.assert_allclose(mine.sums, other.sums, atol=1e-5)
    np.testing.assert_allclose(mine.log_probs, other.log_probs, atol=1e-5)
    for metric in each.metrics:
        assert mine.predicted[metric].tolist() == other.predicted[metric].tolist()
        assert mine.right[metric].tolist() == other.right[metric].tolist()


def test_characters_and_bytes_leave_the_leading_space_out():
    each = replace(SETS[3], metrics={"acc": {}, "acc_norm": {}, "acc_bytes": {}})
    sums = [-4.0, -4.4, -30.0, -30.0]
    texts = ["ab", "\N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER BETA}c", "d", "e"]
    sample = {
        "arguments": [("q", f" {text}") for text in texts],
        "filtered_resps": [(value, False) for value in sums],
        "acc": 1.0, "acc_norm": 0.0, "acc_bytes": 0.0,
    }  # fmt: skip

    class Spelt:
        def _encode_pair(self, context, continuation):
            return [ord(c) for c in context], [ord(c) for c in continuation]

    found = theirs.answers(Spelt(), each, [sample])
    assert {m: int(places[0]) for m, places in found.predicted.items()} == {
        "acc": 0,  # -4 / 1
        "acc_norm": 1,  # -4.4 / 3 and not -4 / 2
        "acc_bytes": 1,  # -4.4 / 5
    }
    np.testing.assert_allclose(np.exp(found.log_probs).sum(1), 1)
    np.testing.assert_allclose(found.log_probs, log_softmax(np.array([sums])))
