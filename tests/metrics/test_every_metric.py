"""One contract for every metric, by what it declares, never by its name."""

import inspect

import numpy as np
import pytest
from metrics.made import METRICS, material

from smalltune.metrics import Metric
from smalltune.stages.score import JUDGED

ALL = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@ALL
def test_it_declares_itself(metric):
    assert issubclass(metric, Metric) and not inspect.isabstract(metric)
    assert METRICS[metric.name] is metric
    assert metric.title and metric.version >= 1
    assert metric.better in ("higher", "lower", "neither")
    assert metric.judges in JUDGED
    low, high = metric.bounds
    assert low < high
    assert not metric.percent or high in (1.0, np.inf)


def test_the_files_names_are_those_of_the_metrics_and_titles_differ():
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


@ALL
def test_the_value_lies_within_its_bounds(metric):
    for items in (1, 2, 7, 40):
        value = float(metric.combine(metric.items(*material(metric.judges, items)).mean(axis=0)))
        assert np.isnan(value) or metric.bounds[0] <= value <= metric.bounds[1]


@ALL
def test_combine_works_on_any_leading_axes(metric):
    stats = metric.items(*material(metric.judges, 6))
    stats = np.stack([stats, stats[::-1]])[:, :4]
    together = metric.combine(stats)
    assert together.shape == (2, 4)
    alone = [[float(metric.combine(row)) for row in block] for block in stats]
    np.testing.assert_allclose(together, alone, equal_nan=True)


@ALL
def test_the_order_of_the_items_does_not_change_the_value(metric):
    stats = metric.items(*material(metric.judges, 30))
    order = np.random.default_rng(0).permutation(30)
    there, back = (float(metric.combine(s.mean(axis=0))) for s in (stats, stats[order]))
    assert there == pytest.approx(back, rel=1e-12)


@ALL
def test_an_item_counts_as_often_as_it_is_drawn(metric):
    """Twice the same items have the same value: only shares count, as a bootstrap needs it."""
    stats = metric.items(*material(metric.judges, 12))
    once, twice = stats.mean(axis=0), np.concatenate([stats, stats]).mean(axis=0)
    assert float(metric.combine(once)) == pytest.approx(float(metric.combine(twice)), rel=1e-12)


@ALL
def test_no_items_have_no_value(metric):
    stats = metric.items(*material(metric.judges, 0))
    assert stats.shape[0] == 0 and stats.shape[1] >= 1
    assert np.isnan(metric.combine(np.full(stats.shape[1], np.nan)))


@ALL
def test_statistics_are_numbers_that_json_keeps(metric):
    stats = metric.items(*material(metric.judges, 20))
    assert stats.dtype == np.float64 and stats.shape[0] == 20
    assert np.isfinite(stats).all()
