"""The measurement of the dispatcher runs; how fast it is, is none of a test's business."""

import pytest

from farm.bench.dispatch import _farm

pytestmark = pytest.mark.cluster


def test_the_dispatcher_is_measured_with_resting_workers():
    assert 0 < _farm(0.02, 40, None) < 1
