"""What follows from settings where they are not given."""

import os

import pytest
import yaml

from farm.config import read_settings


@pytest.fixture
def fleet(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(
        yaml.safe_dump({"pools": [{"name": "spot", "limit": 6}, {"name": "demand", "limit": 2}]})
    )
    return path


def test_as_many_workers_as_the_pools_allow_on_a_cluster_and_as_there_is_room_for_on_ones_own(
    fleet,
):
    size = lambda **given: read_settings(device="cpu", **given).fleet_settings().fleet_size  # noqa: E731
    assert size(fleet=fleet, ray="auto") == 8
    assert size(fleet=fleet, ray="auto", workers=3) == 3
    assert size(fleet=fleet) == size() == os.cpu_count()
    assert size(threads=256) == 1
