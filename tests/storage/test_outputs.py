"""What every store of outputs must do, in a folder and in a bucket of a real S3 server."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.bench.seaweed import READER_KEY, READER_SECRET, temporary_seaweed
from storage.errors import NotFound, OutputsAway, OutputsError, RequestError
from storage.outputs import FolderOutputs
from storage.s3 import S3Outputs


@pytest.fixture(params=["folder", "s3", "s3 below a prefix"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderOutputs(tmp_path / "outputs")
    bucket = request.getfixturevalue("bucket")
    return S3Outputs(bucket if request.param == "s3" else f"{bucket}/below/a prefix/")


def read(store, key):
    with store.open(key) as file:
        return file.read()


def test_what_is_put_can_be_read(store):
    store.put("p/c/final/shot/7.png", b"abc")
    assert read(store, "p/c/final/shot/7.png") == b"abc"


def test_putting_again_replaces(store):
    store.put("k", b"one")
    store.put("k", b"two")
    assert read(store, "k") == b"two"


def test_what_is_there_can_be_copied(store):
    store.put("p/a b&?#%20.png", b"abc")
    store.copy("p/a b&?#%20.png", "q/deep/k.png")
    assert read(store, "q/deep/k.png") == read(store, "p/a b&?#%20.png") == b"abc"
    with pytest.raises(NotFound):
        store.copy("p/missing", "q/other")
    assert sorted(store.keys("q")) == ["q/deep/k.png"]


def test_a_stream_can_be_put(store):
    store.put("k", io.BytesIO(b"x" * 100_000))
    assert read(store, "k") == b"x" * 100_000


def test_what_is_larger_than_wanted_is_not_read(store):
    store.put("k", b"abc")
    assert store.read("k", 3) == b"abc"
    with pytest.raises(RequestError, match="the file has 3 bytes; at most 2 are read"):
        store.read("k", 2)
    with pytest.raises(NotFound, match="gone"):
        store.read("gone", 2)


def test_what_is_large_is_put_whole(store):
    data = os.urandom(1 << 20) * 20  # more than one part of an upload
    store.put("large", io.BytesIO(data))
    assert read(store, "large") == data
    store.put("large", data[:-1])
    assert read(store, "large") == data[:-1]


@pytest.mark.parametrize("key", ["p/a b+c%20&?#=.png", "p/\N{SNOWMAN}/é.png", "p/%2e%2e/x", "p/" + "long" * 50])
def test_a_key_is_kept_as_it_is(store, key):
    store.put(key, b"x")
    assert read(store, key) == b"x"
    assert list(store.keys("p")) == [key]


def test_a_folders_name_is_no_prefix_of_another(store):
    for key in ("spring/1", "spring-launch/1"):
        store.put(key, b"")
    assert list(store.keys("spring")) == ["spring/1"]


def test_more_keys_than_a_page_has_are_listed(store):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda k: store.put(f"p/{k}", b""), range(1100)))
    assert len(set(store.keys("p"))) == 1100


def test_what_is_deleted_is_gone_and_deleting_twice_is_once(store):
    store.put("a/k", b"x")
    for _ in range(2):
        store.delete("a/k")
    with pytest.raises(NotFound):
        store.open("a/k")


def test_a_missing_key_is_not_found(store):
    with pytest.raises(NotFound, match="gone"):
        store.open("gone")


def test_keys_are_listed_below_a_prefix(store):
    for key in ("a/1.png", "a/b/2.png", "c/3.png"):
        store.put(key, b"")
    assert sorted(store.keys("a")) == ["a/1.png", "a/b/2.png"]
    assert list(store.keys("nothing")) == []


@pytest.mark.parametrize("key", ["../escape", "a/../../escape", "/etc/passwd"])
def test_a_key_cannot_lead_out(store, key):
    with pytest.raises(OutputsError, match="leads out"):
        store.put(key, b"")
    with pytest.raises(OutputsError, match="leads out"):
        store.open(key)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    store = FolderOutputs(tmp_path)
    store.put("k", b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputsError, match=r"No space left on device.*free some space"):
        store.put("k", b"new")
    assert read(store, "k") == b"old"
    assert list(store.keys("")) == ["k"]
    assert [path.name for path in Path(tmp_path).iterdir()] == ["k"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputsError, match="writable"):
        FolderOutputs(tmp_path / "file" / "outputs").put("k", b"")


# --- what a bucket may refuse ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET}, "AccessDenied: give these keys that permission"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId: check the AWS keys"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "SignatureDoesNotMatch: check the AWS keys"),
    ],
)
def test_a_refusal_names_operation_place_and_remedy_and_no_key(bucket, monkeypatch, change, words):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OutputsError, match=words) as caught:
        S3Outputs(bucket).put("p/1.png", b"x")
    assert not isinstance(caught.value, OutputsAway)
    assert f"PutObject failed on {bucket}/p/1.png" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("devsecret123", READER_SECRET, "wrong-secret", "nobody"))


def test_a_bucket_that_is_not_there_is_a_sentence(bucket):
    with pytest.raises(OutputsError, match="NoSuchBucket: make the bucket"):
        S3Outputs(f"{bucket}-not").put("k", b"")
    with pytest.raises(OutputsError, match="NoSuchBucket"):
        list(S3Outputs(f"{bucket}-not").keys(""))


def test_an_address_without_a_bucket_is_refused():
    with pytest.raises(OutputsError, match="s3://bucket/prefix"):
        S3Outputs("s3://")


def test_no_keys_at_all_is_a_sentence(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(OutputsError, match="no AWS keys"):
        S3Outputs(bucket).put("k", b"")


def test_a_server_that_was_killed_is_away_and_has_what_it_took_when_it_is_back(seaweed, monkeypatch):
    import boto3

    with temporary_seaweed() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        boto3.session.Session().client("s3").create_bucket(Bucket="kept")
        store = S3Outputs("s3://kept")
        for k in range(20):
            store.put(f"p/{k}", b"x" * 1000)
        server.kill()
        with pytest.raises(OutputsAway, match="does not answer"):
            store.put("p/late", b"")
        server.start()
        store.put("p/late", b"")
        assert len(list(store.keys("p"))) == 21
        assert read(store, "p/7") == b"x" * 1000
