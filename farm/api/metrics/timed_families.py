"""Timed operations as a histogram's samples."""

import math

from prometheus_client.core import HistogramMetricFamily

from storage.timings import BOUNDS_S, Timed


def add_timed(family: HistogramMetricFamily, labels: list[str], timed: Timed) -> None:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*BOUNDS_S, math.inf), timed.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == math.inf else str(bound), total))
    family.add_metric(labels, buckets=buckets, sum_value=timed.seconds)
