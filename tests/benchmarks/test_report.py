from pathlib import Path
from types import SimpleNamespace

import pytest
from harness.reasons import Missed, Reason, explained, read_reasons
from harness.report import report
from harness.studies import cost_of, seconds_for
from harness.tables import best_trainer, ratio_of, share_of_peak

REASONS = Path(__file__).parents[2] / "benchmarks" / "reasons.md"
MACHINE = {
    "git": "abc", "python": "3.11", "gpu": None, "threads": 1, "load": 0.1,
    "packages": {"torch": "2"},
    "machine": {"cpu": "a processor", "cores": 2, "memory_bytes": 8e9, "platform": "Linux"},
}  # fmt: skip


def run(*seconds, **more):
    return {"cpu": list(seconds), "wall": list(seconds), "loss": 1.0, "distances": {}, **more}


def record(**runs):
    return {
        "date": "2026-01-01T00:00:00Z", "device": "cpu", "machine": MACHINE, "peak": 2e9,
        "flop": 1e9, "runs": runs,
    }  # fmt: skip


def pair(name="train:a", aims=None, needs="", kind="train"):
    return SimpleNamespace(name=name, kind=kind, aims=aims or {}, needs=needs)


TRAINED = record(
    smalltune=run(1.0, 1.0),
    smalltune_like=run(0.5, 0.5),
    trainer=run(6.0, 5.0),
    trainer_packed=run(2.0, 2.0),
    trainer_like=run(0.75, 0.75),
)


def test_a_variant_is_compared_with_smalltune_on_the_same_batches():
    assert ratio_of(TRAINED, "trainer").median == 5.5
    assert ratio_of(TRAINED, "trainer_like").median == 1.5


def test_the_best_setting_is_the_one_by_which_smalltune_leads_least():
    assert best_trainer(TRAINED) == "trainer_like"


def test_on_a_gpu_wall_time_counts():
    other = TRAINED | {"device": "cuda"}
    other["runs"] = {"smalltune": run(1.0, wall=[2.0]), "trainer": run(1.0, wall=[8.0])}
    assert ratio_of(other, "trainer").median == 4.0


def test_the_share_of_peak_is_needed_operations_per_second_over_the_peak():
    assert share_of_peak(TRAINED, "smalltune") == pytest.approx(0.5)
    assert share_of_peak(TRAINED, "trainer") == pytest.approx(1e9 / 5.5 / 2e9)


def test_batches_of_like_length_need_operations_of_their_own():
    made = TRAINED | {"flop_like": 2e9}
    assert share_of_peak(made, "trainer_like") == pytest.approx(2e9 / 0.75 / 2e9)
    assert share_of_peak(made, "trainer") == share_of_peak(TRAINED, "trainer")


def test_an_aim_is_said_to_be_reached_only_when_the_median_reaches_it():
    aims = {"trainer": 5.0, "best": 2.0}
    page = report({"train:a": TRAINED}, [pair(aims=aims)])
    lines = [line for line in page.splitlines() if "at least" in line]
    assert "| Trainer | 5.50 [5.00, 6.00] | at least 5 | reached |" in lines[0]
    assert (
        "| Trainer, best setting | 1.50 [1.50, 1.50] | at least 2 | **not reached** |" in lines[1]
    )


def test_a_pair_of_unequal_work_shows_its_reason_and_no_ratio():
    refused = {**TRAINED, "refused": "sft: loss differs"}
    page = report({"train:a": refused}, [pair(aims={"trainer": 5.0})])
    assert "| `train:a` | sft: loss differs |" in page
    assert "5.50" not in page and "## Training" not in page


def test_what_was_not_measured_is_named_with_the_reason():
    page = report({}, [pair(needs="needs a CUDA device"), pair("train:b")])
    assert "| `train:a` | not measured: needs a CUDA device |" in page
    assert "| `train:b` | not measured: not run yet |" in page


def test_less_memory_is_better():
    runs = {name: {"peak": peak, "rest": 1e9, "distances": {}} for name, peak in
            (("smalltune", 2e9), ("trainer", 4e9))}  # fmt: skip
    made = {**TRAINED, "runs": runs}
    page = report({"memory:a": made}, [pair("memory:a", {"trainer": 0.6}, kind="memory")])
    assert "| Trainer | 0.50 | at most 0.6 | reached |" in page
    assert "| Trainer | 4.00 GB | 1.00 GB | 0.50 | 0.33 |" in page


def test_a_larger_study_costs_what_is_paid_once_and_each_run():
    cost = cost_of(2, 12, (20.0, 30.0))
    assert (cost["once"], cost["each"]) == (18.0, 1.0)
    assert seconds_for(200, cost) == 218.0
    assert seconds_for(12, cost) == 30.0


def test_a_profile_names_its_largest_part_and_leaves_out_what_is_next_to_nothing():
    parts = [
        {"part": "matrix products", "share": 0.8},
        {"part": "attention", "share": 0.195},
        {"part": "moves", "share": 0.005},
    ]
    profiled = TRAINED | {"parts": parts, "taken": 0.25, "counting": 0.001}
    page = report({"profile:a": profiled}, [pair("profile:a", {"meters": 0.01}, kind="profile")])
    assert "| share of the time that the meters take | 0.001 | at most 0.01 | reached |" in page
    assert "| `profile:a` | 0.25 s | matrix products | 80 % | 0.10 % |" in page
    assert "`profile:a`: matrix products, 80 %." in page and "moves" not in page


def test_operators_are_grouped_by_what_they_are_for():
    from harness.profiles import REST, group_of

    names = ("aten::mm", "aten::_fused_adamw_", "aten::copy_", "aten::silu_backward")
    expected = ["matrix products", "optimiser", "lookups and moves", REST]
    assert [group_of(name) for name in names] == expected
    assert group_of("aten::_scaled_dot_product_flash_attention_for_cpu") == "attention"


def test_a_forecast_is_off_by_the_distance_of_its_median_from_the_actual():
    ratios = [{"wall": w, "cpu": 1.0, "memory": 0.9, "stored": 1.0} for w in (0.5, 0.8, 1.5)]
    made = TRAINED | {"forecasts": {str(n): each for n, each in enumerate(ratios)}}
    aims = {"forecast_wall": 0.3, "forecast_memory": 0.05}
    page = report({"forecast:a": made}, [pair("forecast:a", aims, kind="forecast")])
    assert "| 0.80 [0.50, 1.50] times the actual | at most 0.3 | reached |" in page
    assert "| 0.90 [0.90, 0.90] times the actual | at most 0.05 | **not reached** |" in page
    assert "| `forecast:a` | 3 | 0.80 [0.50, 1.50] |" in page


# Why an aim is missed


def sized(**more):
    """A record of the 15M shape: Trainer computes 10 positions, five of them padding."""
    from harness.reasons import _shape

    shape = _shape("15m")
    flop = 6.0 * 5 * shape["layers"]  # the head, read once, is left out
    plan = {"shape": "15m", "method": "full"}
    return TRAINED | {"plan": plan, "tokens": 5, "padded_tokens": 10, "flop": flop} | more


def test_an_aim_that_is_missed_stands_beside_its_reason_and_one_that_is_reached_does_not(tmp_path):
    path = tmp_path / "reasons.md"
    path.write_text(
        "# head\n\n## train:* against trainer, best\n\nAt {share} % of {aim}, the {head of 15m}.\n"
    )
    pairs = [pair(aims={"trainer": 7.0, "best": 1.0}), pair("other:b", aims={"trainer": 9.0})]
    page = report({"train:a": sized(peak=1e9), "other:b": TRAINED}, pairs, read_reasons(path))
    flop = sized()["flop"]
    assert f"- `train:a` (Trainer): At {100 * flop / 1e9:.0f} % of 7, the 61.\n" in page
    assert "best setting):" not in page
    assert "- `other:b` (Trainer): no reason is known yet." in page
    assert "and why" not in report({"train:a": TRAINED}, [pair(aims={"trainer": 5.0})])


def test_a_reason_holds_the_lowest_and_the_highest_of_the_pairs_it_is_for():
    missed = [Missed(name, "trainer", sized(), aim) for name, aim in (("a", 6.0), ("b", 9.0))]
    (said,) = explained(missed, [Reason("*", ("trainer",), "Aims of {aim}.")])
    assert said == "- `a` (Trainer); `b` (Trainer): Aims of 6 to 9.\n"


def test_the_work_of_trainer_is_that_of_all_positions_with_the_head_on_each():
    missed = Missed("a", "trainer", sized(), 6.0)
    (said,) = explained([missed], [Reason("*", ("trainer",), "{work} times, {padding} %")])
    assert said.endswith("5.1 times, 50 %\n")  # twice the layers, and the head is 61 % of it


def test_of_an_evaluation_the_record_says_how_much_is_saved():
    runs = {"smalltune": run(1.0), "lm_eval": run(8.0), "lm_eval_batched": run(5.0)}
    made = record(**runs) | {"rows": 32, "plain_flop": 6e9, "beginning_flop": 2e8}
    text = "{work} times, {beginning} % for {rows} rows, at {busy} %, here {share} %, {needed} %"
    reason = Reason("*", ("lm_eval", "lm_eval_batched"), text)
    (slow,) = explained([Missed("a", "lm_eval", made, 9.0)], [reason])
    assert slow.endswith("6 times, 20 % for 32 rows, at 38 %, here 50 %, 56 %\n")
    (fast,) = explained([Missed("a", "lm_eval_batched", made, 9.0)], [reason])
    assert "at 60 %" in fast and fast.endswith("90 %\n")


def test_a_record_without_a_number_that_a_reason_names_is_not_explained_by_it():
    missed = Missed("a", "trainer", TRAINED, 9.0)
    (said,) = explained([missed], [Reason("*", ("trainer",), "All of {rows} rows.")])
    assert said == "- `a` (Trainer): no reason is known yet.\n"


def test_every_kept_reason_speaks_of_pairs_and_variants_that_there_are():
    from fnmatch import fnmatch

    from harness.catalogue import catalogue

    for reason in read_reasons(REASONS):
        fit = [one for one in catalogue() if fnmatch(one.name, reason.pairs)]
        assert fit and all(any(v in one.aims for one in fit) for v in reason.variants)
        anywhere = Reason("*", reason.variants, reason.text)
        record = studied() if reason.pairs.startswith("study") else full_record()
        assert all(anywhere.speaks_of(Missed("x", v, record, 2.0)) for v in reason.variants)


def test_the_reason_of_a_study_tells_the_start_of_processes_from_their_work():
    text = "{run} {peer_run} {start} {needed_run}"
    missed = [Missed("study:x", "side_by_side", studied(), 4.0)]
    (said,) = explained(missed, [Reason("study:*", ("side_by_side",), text)])
    assert said.strip().endswith("2 8 3 2")


def studied():
    """A record of short runs: two processes of 16 seconds at once, which start in 6."""
    runs = {
        name: [{"wall": {"each": each, "measured": [2 * each, 2 * each]}}]
        for name, each in (("smalltune", 2.0), ("one_by_one", 12.0), ("side_by_side", 8.0))
    }
    return {"runs": runs, "start": [{"wall": 6.0}]}


PEERS = ("sft", "lm_eval", "lm_eval_batched", "generate_sorted")


def full_record():
    """A record that has what any reason may ask for."""
    more = {name: run(12.0, 12.0) for name in PEERS}
    kept = {"rows": 32, "plain_flop": 6e9, "beginning_flop": 2e8}
    return sized(**kept) | {"runs": {**TRAINED["runs"], **more}}


def test_pairs_that_other_code_measured_are_named():
    later = {**MACHINE, "git": "def"}
    records = {
        "train:a": TRAINED,
        "train:b": TRAINED | {"date": "2026-02-01T00:00:00Z", "machine": later},
    }
    page = report(records, [pair(), pair("train:b")])
    assert "| abc | an earlier commit |  | `train:a` |" in page
    assert "| def |  |  | `train:b` |" in page
    assert "other code" not in report({"train:a": TRAINED}, [pair()])


def test_a_programs_settings_share_its_colour_and_programs_do_not():
    from harness.figure import PEERS, colour

    assert colour("trainer") != colour("trainer_packed") == colour("best")
    assert len({colour(name) for name in PEERS if name != "best"}) == len(PEERS) - 1
