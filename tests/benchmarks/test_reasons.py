"""Why an aim is missed: kept words with numbers of the records."""

from fnmatch import fnmatch
from pathlib import Path

from benchmarks.made import PROFILE, STUDY, TRAINED, full_record, pair, record, run, sized, studied
from harness.catalogue import catalogue
from harness.reasons import Missed, Reason, explained, read_reasons
from harness.report import report

RESULTS = Path(__file__).parents[2] / "benchmarks" / "RESULTS.md"
REASONS = Path(__file__).parents[2] / "benchmarks" / "reasons.md"


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


def test_a_reason_says_which_of_its_aims_lie_within_the_spread():
    made = sized(runs={**TRAINED["runs"], "trainer": run(6.0, 5.0)})
    pairs = [pair("a", {"trainer": 5.75}), pair("b", {"trainer": 9.0})]
    reasons = [Reason("*", ("trainer",), "So.")]
    page = report({"a": made, "b": made}, pairs, reasons)
    near = " So. The aim lies within the spread of the rounds of `a` (Trainer).\n"
    assert near in page and page.count("The aim lies within") == 1


def test_the_work_of_trainer_is_that_of_all_positions_with_the_head_on_each():
    missed = Missed("a", "trainer", sized(), 6.0)
    (said,) = explained([missed], [Reason("*", ("trainer",), "{work} times, {padding} %")])
    assert said.endswith("5.1 times, 50 %\n")  # twice the layers, and the head is 61 % of it


def test_of_an_evaluation_the_record_says_how_much_is_saved():
    runs = {"smalltune": run(1.0), "lm_eval": run(8.0), "lm_eval_best": run(5.0)}
    made = record(**runs) | {"rows": 32, "plain_flop": 6e9, "beginning_flop": 2e8}
    text = "{work} times, {beginning} % for {rows} rows, at {busy} %, here {share} %, {needed} %"
    reason = Reason("*", ("lm_eval", "lm_eval_best"), text)
    (slow,) = explained([Missed("a", "lm_eval", made, 9.0)], [reason])
    assert slow.endswith("6 times, 20 % for 32 rows, at 38 %, here 50 %, 56 %\n")
    (fast,) = explained([Missed("a", "lm_eval_best", made, 9.0)], [reason])
    assert "at 60 %" in fast and fast.endswith("90 %\n")


def test_a_record_without_a_number_that_a_reason_names_is_not_explained_by_it():
    missed = Missed("a", "trainer", TRAINED, 9.0)
    (said,) = explained([missed], [Reason("*", ("trainer",), "All of {rows} rows.")])
    assert said == "- `a` (Trainer): no reason is known yet.\n"


def test_the_parts_of_a_step_are_those_of_the_profile_of_its_shape_and_method():
    reasons = [Reason("*", ("trainer",), "{products}, {elementwise}.")]
    records = {"train:a": sized(), "profile:15m:full": PROFILE, "profile:15m:lora": {"parts": []}}
    page = report(records, [pair(aims={"trainer": 9.0})], reasons)
    assert "(Trainer): 60, 25.\n" in page
    del records["profile:15m:full"]
    page = report(records, [pair(aims={"trainer": 9.0})], reasons)
    assert "(Trainer): no reason is known yet." in page


def test_no_aim_is_missed_on_the_page_without_a_reason():
    assert "no reason is known yet" not in RESULTS.read_text()


def test_a_peak_of_the_earlier_form_stays_out_of_a_range_with_todays():
    old, new = sized(peak=1e9), sized(peak=2e9, peaks=[2e9])
    said = [Missed("a", "trainer", old, 6.0), Missed("b", "trainer", new, 9.0)]
    flop = sized()["flop"]
    (mixed,) = explained(said, [Reason("*", ("trainer",), "{share}, {aim}")])
    assert mixed.endswith(f"{100 * flop / 2e9:.0f}, 6 to 9\n")
    (alone,) = explained(said[:1], [Reason("*", ("trainer",), "{share}")])
    assert alone.endswith(f"{100 * flop / 1e9:.0f}\n")


def test_the_profile_of_a_study_stands_beside_its_aims():
    aimed = pair("study:x", {"side_by_side": 9.0}, kind="study")
    records = {"study:x": studied(), "profile:study:lora": STUDY}
    reasons = [Reason("study:*", ("side_by_side",), "{starting} % of {profiled}, {once} s")]
    assert ": 40 % of 12, 0 s\n" in report(records, [aimed], reasons)


def test_a_checkpoints_head_is_told_from_that_of_another_shape():
    made = sized(plan={**TRAINED["plan"], "shape": "0.5b"})
    (said,) = explained(
        [Missed("a", "trainer", made, 9.0)], [Reason("*", ("trainer",), "{head}, {head of 15m}")]
    )
    assert said.endswith("28, 61\n")


def test_every_kept_reason_speaks_of_pairs_and_variants_that_there_are():
    for reason in read_reasons(REASONS):
        assert "tried" in reason.text.lower(), reason.pairs
        fit = [one for one in catalogue() if fnmatch(one.name, reason.pairs)]
        assert fit and all(any(v in one.aims for one in fit) for v in reason.variants)
        anywhere = Reason("*", reason.variants, reason.text)
        record = studied() if reason.pairs.startswith("study") else full_record()
        profile = STUDY if reason.pairs.startswith("study") else PROFILE
        missed = [Missed("x", v, record, 2.0, profile=profile) for v in reason.variants]
        assert all(anywhere.speaks_of(one) for one in missed)


def test_the_reason_of_a_study_tells_the_start_of_processes_from_their_work():
    text = "{start_cpu} {run} {peer_run} {start} {needed_run}"
    missed = [Missed("study:x", "side_by_side", studied(), 4.0)]
    (said,) = explained(missed, [Reason("study:*", ("side_by_side",), text)])
    assert said.strip().endswith("5 2 8 3 2")
