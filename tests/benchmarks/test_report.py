import pytest
from benchmarks.made import MACHINE, TRAINED, pair, record, run, studied
from harness.catalogue import GPU
from harness.jobs import ALL, LIKE
from harness.measures import best_trainer, named, ratio_of, share_of_peak
from harness.report import report
from harness.settings import LEFT_OUT, VARIANTS
from harness.studies import cost_of, seconds_for


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
    assert share_of_peak(TRAINED, "trainer_like") == pytest.approx(2e9 / 0.75 / 2e9)
    without = {name: value for name, value in TRAINED.items() if name != "flop_like"}
    assert share_of_peak(without, "trainer") == share_of_peak(TRAINED, "trainer")
    with pytest.raises(KeyError, match="flop_like"):
        share_of_peak(without, "trainer_like")


def test_a_record_of_an_earlier_form_is_left_out_and_says_what_it_lacks():
    without = {name: value for name, value in TRAINED.items() if name != "flop_like"}
    page = report({"train:a": without}, [pair(aims={"trainer": 5.0})])
    assert (
        "| `train:a` | to be measured again: an earlier form of the record, without flop_like |"
        in page
    )
    assert "5.50" not in page and "## Training" not in page


def test_a_pair_that_was_measured_beside_other_work_says_so():
    load = {"before": 1.0, "after": 2.5, "others": 1.25}
    page = report({"train:a": TRAINED | {"load": load}}, [pair(aims={"trainer": 5.0})])
    assert "| `train:a` (loaded) | Trainer | 5.50 [5.00, 6.00] |" in page
    assert "| `train:a` | 1.0 | 2.5 | 1.2 |" in page
    quiet = report({"train:a": TRAINED | {"load": load | {"others": 0.1}}}, [pair()])
    assert "loaded" not in quiet


def test_a_peak_that_was_taken_once_is_told_from_those_of_each_round():
    records = {"train:a": TRAINED, "train:b": TRAINED | {"peaks": [1e9, 2e9]}}
    page = report(records, [pair(), pair("train:b")])
    assert "| taken once, of smaller products, for `train:a`: left out of the reasons" in page


def test_of_an_older_record_the_load_average_before_tells():
    def at(load):
        return TRAINED | {"machine": {**MACHINE, "load": load}}

    assert named("a", at(2.4)) == "`a`" and named("a", at(2.6)) == "`a` (loaded)"


def test_the_best_batch_is_named_beside_those_it_was_chosen_from():
    runs = {"smalltune": run(1.0), "lm_eval": run(8.0), "lm_eval_best": run(5.0)}
    chosen = {"lm_eval_best": {"batch": 8, "tried": {"1": 8.0, "8": 5.25}}}
    plan = {"task": "ag_news", "rows": 32, "shots": 8}
    made = record(**runs) | {"chosen": chosen, "plan": plan}
    aimed = pair("evaluate:a", {"lm_eval_best": 4.0}, kind="evaluate")
    page = report({"evaluate:a": made}, [aimed])
    assert "| lm-eval, best batch (8) | 5.00 [5.00, 5.00] | at least 4 | reached |" in page
    assert "| `evaluate:a` | lm-eval, best batch (8) | 1: 8 s, 8: 5.25 s |" in page
    assert (
        "| `evaluate:a` | AG News, `ag_news/test` |  |  | 1 |  | 32 rows, 8 demonstrations |"
        in page
    )


def test_the_settings_say_what_each_variant_is_and_on_what_it_ran():
    assert {*ALL, *LIKE, "lm_eval_best", "generate_best", "side_by_side"} <= {*VARIANTS}
    page = report({"train:a": TRAINED}, [pair()])
    assert f"| Trainer | {VARIANTS['trainer']} | glibc's own rule" in page
    assert f"| Trainer, packed, label-only | {VARIANTS['trainer_packed']} | freed blocks" in page
    assert VARIANTS["sft"] not in page and "`torch_compile` is not measured" in page
    row = "| `train:a` | SST-2, `glue_sst2/train` | 16 | 10, 2 | 2 | 0.0003 | at most 512 tokens"
    assert row in page
    assert "| 15m | 15.2M | 6 | 288 | 32,000 | random |" in page


def test_what_the_table_of_settings_lacks_is_said_below_it():
    point = {"runs": {"smalltune": run(1.0, 1.0)}, "length": 16, "parameters": 1e6, "tokens": 1e6}
    scaled = {name: value for name, value in record().items() if name != "runs"}
    known = {"train:0.5b:lora:sst2": TRAINED, "scaling:a": scaled | {"points": [point]}}
    page = report(known, [pair("train:0.5b:lora:sst2"), pair("scaling:a", kind="scaling")])
    assert "Each point of `scaling:a` has 2 rounds." in page
    assert f"Of `train:0.5b:lora:sst2`: {LEFT_OUT['train:0.5b:lora:sst2']}." in page


def test_a_study_shows_loss_and_accuracy_of_the_seeds_that_all_ran():
    page = report({"study:a": studied()}, [pair("study:a", kind="study")])
    assert (
        "| 200 s | 0.550 | 0.30000 | 2 |" in page
        and "| 0.400 | 0.35000 | 2 | accuracy 2e-01 |" in page
    )


def test_an_aim_is_said_to_be_reached_only_when_the_median_reaches_it():
    aims = {"trainer": 5.0, "best": 2.0}
    page = report({"train:a": TRAINED}, [pair(aims=aims)])
    lines = [line for line in page.splitlines() if "at least" in line]
    assert "| Trainer | 5.50 [5.00, 6.00] | at least 5 | reached |" in lines[0]
    assert (
        "| Trainer, best setting | 1.50 [1.50, 1.50] | at least 2 | **not reached** |" in lines[1]
    )


def test_an_aim_within_the_spread_of_the_rounds_says_so_whichever_side_the_median_is_on():
    made = record(smalltune=run(1.0, 1.0, 1.0), trainer=run(6.0, 4.0, 5.5))

    def mark(aim):
        page = report({"train:a": made}, [pair(aims={"trainer": aim})])
        (line,) = [line for line in page.splitlines() if "at least" in line]
        assert ("The median decides." in page) == ("spread" in line)
        return line.rpartition("at least")[2]

    assert mark(5.0) == " 5 | reached, within the spread |"
    assert mark(5.75) == " 5.75 | **not reached**, within the spread |"
    assert mark(4.0) == " 4 | reached |" and mark(6.0) == " 6 | **not reached** |"


def test_a_share_of_the_peak_is_as_spread_as_the_times_it_comes_from():
    made = TRAINED | {"runs": {"smalltune": run(1.0, 0.8, 1.25)}}
    page = report({"train:a": made}, [pair(aims={"share": 0.6})])
    mark = "| 0.50 [0.40, 0.62] | at least 0.6 | **not reached**, within the spread |"
    assert mark in page


def test_settings_of_smalltune_have_no_ratio_to_smalltune():
    runs = {name: run(1.0) for name in ("smalltune", "trainer", "smalltune_like", "trainer_like")}
    point = {"runs": runs, "length": 16, "parameters": 1e6, "tokens": 1e6}
    made = record() | {"points": [point]}
    del made["runs"]
    page = report({"scaling:a": made}, [pair("scaling:a", kind="scaling")])
    assert "| smalltune, like lengths | 1 |  |" in page
    assert "| Trainer | 1 | 1.00 [1.00, 1.00] |" in page


def test_a_pair_of_unequal_work_shows_its_reason_and_no_ratio():
    refused = {**TRAINED, "refused": "sft: loss differs"}
    page = report({"train:a": refused}, [pair(aims={"trainer": 5.0})])
    assert "| `train:a` | sft: loss differs |" in page
    assert "5.50" not in page and "## Training" not in page


def test_what_was_not_measured_is_named_with_the_reason():
    page = report({}, [pair(needs=GPU), pair("train:b")])
    assert "These are measured on a CUDA device only: `train:a`.\n" in page
    assert "| `train:b` | not measured yet |" in page
    assert "| pair | reason |" not in report({}, [pair(needs=GPU)])


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
    rest = {"parts": [{"part": "Python and dispatch", "share": 1.0}]}
    uncertain = report({"profile:a": profiled | rest}, [pair("profile:a", kind="profile")])
    assert "| the rest (Python, dispatch; uncertain) | 100 % |" in uncertain
    page = report(
        {"profile:study:a": profiled | {"totals": [0.2, 0.25, 0.4]}},
        [pair("profile:study:a", kind="profile")],
    )
    assert "| `profile:study:a` | 0.25 s [0.2, 0.4] | matrix products |" in page


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
    assert colour("side_by_side") != colour("side_by_side_packed")
    assert len({colour(name) for name in PEERS if name != "best"}) == len(PEERS) - 1
