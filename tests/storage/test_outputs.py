"""What every store of outputs must do. The folder is the first; others join the fixture."""

import io
import os
from pathlib import Path

import pytest

from storage.errors import NotFound, OutputsError
from storage.outputs import FolderOutputs


@pytest.fixture(params=["folder"])
def store(request, tmp_path):
    return {"folder": lambda: FolderOutputs(tmp_path / "outputs")}[request.param]()


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


def test_a_stream_can_be_put(store):
    store.put("k", io.BytesIO(b"x" * 100_000))
    assert read(store, "k") == b"x" * 100_000


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
