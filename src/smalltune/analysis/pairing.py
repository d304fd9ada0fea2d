"""Pairing: which runs of two methods are compared with each other, seed by seed."""

from dataclasses import replace

from smalltune.analysis.records import Sample

__all__ = ["pairs", "rows"]


def pairs(a: Sample, b: Sample) -> tuple[tuple[int | None, ...], str, tuple[str, ...]]:
    """Return the seeds to compare at, how they are paired, and the trials left out."""
    gaps = (*a.gaps, *b.gaps)
    if a.seeded and b.seeded:
        both = tuple(seed for seed in a.seeds if seed in b.seeds)
        alone = [
            f"{s.model}/{s.method}/{s.task}/{seed}"
            for s in (a, b)
            for seed in s.seeds
            if seed not in both
        ]
        return both, "the same seeds on both sides", (*gaps, *alone)
    if not a.seeded and not b.seeded:
        return (None,), "one run on each side: neither method has seeds", gaps
    (single, many) = (a, b) if b.seeded else (b, a)
    words = f"the one run of {single.method}, which has no seeds, beside each seed of {many.method}"
    return many.seeds, words, gaps


def rows(sample: Sample, seeds: tuple[int | None, ...]) -> Sample:
    """Return the sample at these seeds in this order; a single run without seed is repeated."""
    at = [sample.seeds.index(seed) if sample.seeded else 0 for seed in seeds]
    return replace(sample, stats=sample.stats[at], seeds=seeds)
