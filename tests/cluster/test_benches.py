"""The measurement of the dispatcher runs; how fast it is, is none of a test's business."""

import pytest

from farm.bench.dispatch import farm_efficiency

pytestmark = pytest.mark.cluster


def test_the_dispatcher_is_measured_with_resting_workers():
    assert 0 < farm_efficiency(0.02, 40, None) < 1
