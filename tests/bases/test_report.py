import json
import shutil

import keep
import numpy as np
import pytest
import report
import yaml
from bases.small import BASES
from embed import embed
from measured import known
from records import kept, question
from trained import finished

import smalltune as st

ROWS = [{"text": f"it was {w} {i}", "y": w} for i in range(12) for w in ("good", "bad")]
METHODS = {
    "full": {"tune": {"learning_rate": [1e-3, 2e-3]}},
    "from_scratch": {"learning_rate": 3e-3},
}


@pytest.fixture(scope="module")
def measured(made, tmp_path_factory):
    """A copy of the tiny bases with everything kept, and a transfer study that has run."""
    root = tmp_path_factory.mktemp("measured") / "bases"
    shutil.copytree(made, root)
    bases, _ = finished(root)
    folders = {base.name: embed(base, root.parent / "models") for base in bases}
    study = root.parent / "studies" / "bases-transfer"
    study.mkdir(parents=True)
    for name, part in (("train", ROWS[:12]), ("dev", ROWS[12:18]), ("test", ROWS[18:])):
        (study / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    content = {
        "title": "Transfer", "question": "What is it worth?",
        "models": {name: {"source": str(folder)} for name, folder in folders.items()},
        "tasks": {"own": {
            "kind": "classification", "text": "text", "label": "y", "prompt": "{text}\nIt was",
            "labels": {"good": "good", "bad": "bad"},
            "files": {name: f"{name}.jsonl" for name in ("train", "dev", "test")},
        }},
        "methods": METHODS, "training": {"epochs": 2, "batch_size": 4}, "seeds": [0, 1],
        "metrics": ["accuracy"], "contrasts": ["full - from_scratch"],
    }  # fmt: skip
    (study / "study.yaml").write_text(yaml.safe_dump(content))
    assert not st.load(study).run(workers=1).failed
    keep.main(root)
    return root


@pytest.fixture(scope="module")
def text(measured):
    return report.report(measured)


def record_of(root, name):
    return next(record for record in kept(root) if record.name == name)


def row_of(text, start, name):
    """Return the cells of a base's row in the table that begins with `start`."""
    table = text[text.index(start) :]
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_size_that_is_missing_is_named(text):
    assert "(M, of some twenty million parameters, trained on a GPU) is not there yet" in text


def test_sizes_and_tokens_are_those_of_the_stores(measured, text):
    for base in kept(measured):
        cells = row_of(text, "| base | parameters", base.name)
        expected = [base.counts[k] for k in ("total", "inner", "active")]
        assert cells[1:5] == [f"{n:,}" for n in [*expected, base.facts["tokens"]]]
        assert cells[7] == "not measured"
    assert "the same tokens in the same order, with the same training options" in text


def test_the_difference_to_the_5_gram_model_is_the_jackknife_over_documents(measured, text):
    base = record_of(measured, "micro-qwen")
    stored = known(measured, "yardsticks", question(base))
    stats, size = base.sample().stats[0], np.array(stored["bytes"], dtype=float)
    bits = np.array(stored["ngram_bits"])

    def gap(kept):
        total = size[kept].sum()
        return stats[kept, 0].sum() / total - bits[kept].sum() / total

    n = len(size)
    everything = np.ones(n, dtype=bool)
    value = gap(everything)
    without = [gap(everything & (np.arange(n) != i)) for i in range(n)]
    shares = n * value - (n - 1) * np.array(without)
    from scipy.stats import t

    half = t.ppf(0.975, n - 1) * shares.std(ddof=1) / np.sqrt(n)
    cells = row_of(text, "| base | bits per byte", base.name)
    assert cells[3] == f"{value:.3f} [{value - half:.3f}, {value + half:.3f}]"
    assert cells[4] == ("yes" if value + half < 0 else "no")
    assert cells[2].startswith(f"{bits.sum() / size.sum():.3f} [")
    assert cells[6] == f"{stored['xz_together_bits'] / size.sum():.3f}"


def test_the_mixtures_experts_are_shown_by_layer(text):
    assert "### How micro-deepseek uses its experts" in text
    assert "even would be 25.0% each" in text
    cells = row_of(text, "| layer |", "1")
    assert sum(float(cell.rstrip("%")) for cell in cells[1:]) == pytest.approx(100, abs=0.3)


def test_what_asks_for_balance_among_the_experts_is_said(measured, text):
    step = record_of(measured, "micro-deepseek").spec["method"]["options"]["balance"]
    assert f"moves by {step:g} a step towards balance" in text


def test_the_report_needs_no_store(measured, text, tmp_path):
    root = tmp_path / "bases"
    shutil.copytree(measured, root, ignore=shutil.ignore_patterns(".smalltune", "config"))
    assert report.report(root) == text


def test_what_was_kept_of_a_store_that_is_gone_stays(measured, text, tmp_path, capsys):
    root = tmp_path / "bases"
    shutil.copytree(measured, root)
    shutil.rmtree(root / "micro-qwen" / ".smalltune")
    keep.main(root)
    said = capsys.readouterr().out
    assert "micro-qwen: not trained yet: `smalltune run bases/micro-qwen`; its record stays" in said
    assert report.report(root) == text


def test_transfer_is_told_with_rates_steps_and_the_aim(measured, text):
    study = st.load(measured.parent / "studies" / "bases-transfer")
    for model in ("micro-llama", "micro-qwen", "micro-deepseek"):
        scores = [study.trial(f"{model}/full/own/{s}").scores("test")["accuracy"] for s in (0, 1)]
        cells = row_of(text, "| base | method |", model)
        assert cells[1] == "from_scratch" or cells[2].startswith(f"{100 * np.mean(scores):.1f}")
        assert cells[3] == "2"
        assert cells[5] == "6"
    assert "| full | " in text
    assert "Aim: at least 4 points gained by each base (so for " in text
    assert f"{len(ROWS[18:])} test items. The exact test over the seeds" in text
    assert "cannot give a p below 0.5 here" in text  # two seeds
    assert "![Losses of fine-tuning, means over seeds](transfer.png)" in text


def test_every_rate_that_was_tried_stands_with_its_score_on_dev(measured, text):
    results = st.load(measured.parent / "studies" / "bases-transfer").results()
    assert len(results.tuning) == 3
    for search in results.tuning:
        cells = row_of(text, "| base | method | learning rate", search.model)
        told = [f"{run.options['learning_rate']:g}: " for run in search.runs]
        marks = ["**" if run.chosen else "" for run in search.runs]
        shown = [
            f"{rate}{mark}{100 * run.score:.1f}{mark}"
            for rate, mark, run in zip(told, marks, search.runs, strict=True)
        ]
        assert cells[1:] == ["full", ", ".join(shown)]


def test_every_figure_that_the_report_shows_is_there(measured, text):
    for name in ("loss.png", "transfer.png"):
        assert f"({name})" in text
        assert (measured / name).read_bytes().startswith(b"\x89PNG")


def test_what_is_not_there_is_named_with_its_command(made, tmp_path):
    root = tmp_path / "bases"
    shutil.copytree(made, root)
    shutil.rmtree(root / "micro-qwen" / ".smalltune")
    shutil.rmtree(root / "records", ignore_errors=True)
    (root / "measured.json").unlink(missing_ok=True)
    for base in finished(root)[0]:
        keep.keep(base.record, root)
    text = report.report(root)
    assert "micro-qwen: not trained yet: `smalltune run bases/micro-qwen`" in text
    assert "not measured: `python bases/keep.py`" in text
    assert "Not run yet: `smalltune run studies/bases-transfer`" in text
    assert "Not run yet: `smalltune run bases/optimiser-pilot`" in text


def test_the_pilots_table_has_a_row_for_each_arm(measured, tmp_path):
    root = tmp_path / "bases"
    shutil.copytree(measured, root)
    folder = root / "optimiser-pilot"
    folder.mkdir()
    content = yaml.safe_load((BASES / "optimiser-pilot" / "study.yaml").read_text())
    content["models"] = {"micro-llama": content["models"]["micro-llama"]}
    content["methods"] = dict(list(content["methods"].items())[:2])
    content |= {"training": {"steps": 3, "batch_size": 4}, "max_length": 48}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    study = st.load(folder)
    assert not study.run(workers=1).failed
    keep.main(root)
    text = report.report(root)
    assert "after 3 steps" in text
    table = text[text.index("| optimiser |") :].splitlines()[2:]
    scores = [trial.scores("dev")["bits_per_byte"] for trial in study.trials()]
    assert [f"{score:.3f}" in row for score, row in zip(scores, table, strict=True)] == [True] * 2
    apart = f"{max(scores) - min(scores):.4f} ["
    assert [apart in row for row in table] == [score > min(scores) for score in scores]
    assert [row.endswith("| best |") for row in table] == [s == min(scores) for s in scores]
