"""The lists of registered models' files, and the room that models have."""

import hashlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.manifests import Manifest, StoredFile, check_place, read_manifest
from actors.models.room import Disk, excess
from storage.errors import RequestError

FILE = StoredFile(path="unet/model.safetensors", bytes=7, sha256="a" * 64)
WHOLE = Manifest(digest="d" * 64, files=(FILE, StoredFile(path="b.txt", bytes=0, sha256="b" * 64)))


def read(value):
    data = json.dumps(value).encode()
    return read_manifest(data, hashlib.sha256(data).hexdigest())


def changed(**file):
    value = asdict(WHOLE)
    value["files"][0].update(file)
    return value


def test_a_list_is_read_as_it_was_written():
    assert read_manifest(WHOLE.data, WHOLE.sha256) == WHOLE


def test_a_content_that_stands_twice_counts_once():
    twice = StoredFile(path="other", bytes=7, sha256="a" * 64)
    assert Manifest(digest="d", files=(FILE, twice)).size == 7


def test_bytes_of_another_digest_are_refused():
    with pytest.raises(RequestError, match="damaged"):
        read_manifest(WHOLE.data + b" ", WHOLE.sha256)


@pytest.mark.parametrize(
    "path",
    [
        "../up", "/etc/passwd", "a/../../b", "", "a\0b", "a\\b", ".", "..", "a/./../b", "a\n",
        "/".join("abcdefghi"), "x" * 201, "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ],
)  # fmt: skip
def test_a_place_outside_of_the_folder_is_refused(path):
    with pytest.raises(RequestError):
        check_place(path)
    with pytest.raises(RequestError):
        read(changed(path=path))


@pytest.mark.parametrize(
    "value",
    [
        [], {}, {"files": [], "digest": "d"}, {"files": [{}], "digest": "d"},
        {"files": asdict(WHOLE)["files"], "digest": 7},
        changed(bytes=-1), changed(bytes="7"), changed(sha256="../x"), changed(path=7),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused(value):
    with pytest.raises(RequestError, match=r"cannot be read: add it again\."):
        read(value)


SIZES = st.integers(0, 10**13)


@given(SIZES, SIZES, SIZES, st.none() | SIZES, SIZES)
def test_what_fits_leaves_a_tenth_of_the_disk_and_keeps_the_limit(used, free, size, limit, needed):
    over = excess(Disk(used=used, free=free, size=size), needed, limit)
    fits_disk = free - needed >= size // 10
    fits_limit = limit is None or used + needed <= limit
    assert (over <= 0) == (fits_disk and fits_limit)


def test_the_excess_is_of_the_tighter_bound():
    disk = Disk(used=50, free=60, size=100)
    assert excess(disk, 70, None) == 20
    assert excess(disk, 70, 90) == 30
    assert excess(disk, 70, 1000) == 20
