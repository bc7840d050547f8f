"""A campaign whose pictures go to a real S3 server, which is killed in the middle."""

import boto3
import pytest

from storage.bench.seaweed import READER_KEY, READER_SECRET, temporary_seaweed
from storage.keys import atlas_key, is_atlas
from storage.s3 import S3Outputs

pytestmark = pytest.mark.cluster


@pytest.fixture
def server(seaweed, monkeypatch):
    """A server of the test's own, that it may kill; that there is one at all, the other fixture
    has found out.
    """
    with temporary_seaweed() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        boto3.session.Session().client("s3").create_bucket(Bucket="campaigns")
        yield server


def test_a_server_that_is_killed_in_the_middle_costs_nothing_but_time(farm, server):
    place = {"FARM_OUTPUTS": "s3://campaigns/brand", **server.environment}
    process = farm.start("run", farm.file(), **place)
    farm.wait_until(lambda: farm.row().done >= 8, process)
    server.kill()
    farm.wait_until(lambda: "does not answer" in (farm.row().waits_for or ""), process)
    server.start()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, (err, farm.log())
    assert (farm.row().done, farm.row().failed) == (48, 0)

    # Every picture has its row, and there is nothing else in the bucket but thumbnails.
    outcomes, there = farm.outcomes(), set(S3Outputs("s3://campaigns/brand").keys("default"))
    atlases = {key for key in there if is_atlas(key.removeprefix("default/c/"))}
    assert there - atlases == {*(o.key for o in outcomes), "default/c/manifest.jsonl"}
    named = {o.thumbnail.partition(":")[0] for o in outcomes if o.thumbnail}
    assert named
    assert {atlas_key("default", "c", name) for name in named} <= atlases
    # Its keys are nowhere to be read.
    said = "".join(path.read_text(errors="replace") for path in (farm.home / "logs").iterdir())
    assert "devsecret123" not in said + err
    assert b"devsecret123" not in (farm.home / "farm.db").read_bytes()


def test_the_doctor_says_what_a_bucket_refuses(farm, server):
    reader = {"AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET}
    process = farm.start(
        "doctor", FARM_OUTPUTS="s3://campaigns", **{**server.environment, **reader}
    )
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "PutObject failed" in out
    assert "DeleteObject failed" in out
    assert READER_SECRET not in out
