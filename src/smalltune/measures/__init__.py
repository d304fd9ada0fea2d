"""Measures: what several metrics count alike, one file each, and what an analysis may count too.

No file here is a plug-in: a metric is one way to sum up what is counted here. Each file has its
`VERSION`, which the metrics that use it state as their own: it rises when what is counted changes.
"""
