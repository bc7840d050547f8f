"""Files that are fetched in parts, whatever was fetched before and however often it broke off."""

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from actors.models import fetching
from actors.models.fetching import fetch, forget, reserve
from actors.models.manifests import StoredFile
from storage.errors import NotFound, OutputsAway
from storage.keys import weights_key

FEW = effort(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Source:
    """Outputs that have one file, and fail at the calls whose numbers are given."""

    def __init__(self, data, failing=()):
        self.data, self.failing, self.asked = data, set(failing), []
        self.file = StoredFile(path="a", bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    def pieces(self, key, start, stop):
        assert key == weights_key(self.file.sha256)
        self.asked.append((start, stop))
        if len(self.asked) in self.failing:
            raise OutputsAway("away")
        return iter([self.data[start : start + 3], self.data[start + 3 : stop]])


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(fetching, "PART", 10)


def fetched(source, path, on_part=lambda: None):
    reserve(path, source.file)
    return fetch(source, source.file, path, on_part)


@FEW
@given(st.binary(max_size=95), st.sets(st.integers(1, 12), max_size=4))
def test_a_file_comes_whole_however_often_it_broke_off(data, failing):
    with tempfile.TemporaryDirectory() as folder:
        path, source = Path(folder) / "x.part", Source(data, failing)
        for _ in range(len(failing) + 1):
            try:
                came = fetched(source, path)
            except OutputsAway:
                continue
            break
        assert came == source.file.sha256
        assert path.read_bytes() == data
        assert list(Path(folder).iterdir()) == [path]


@FEW
@given(st.binary(min_size=1, max_size=95))
def test_parts_cover_the_file_once_and_none_is_longer_than_said(data):
    with tempfile.TemporaryDirectory() as folder:
        source, told = Source(data), []
        fetched(source, Path(folder) / "x.part", lambda: told.append(1))
        asked = sorted(source.asked)
        assert b"".join(data[start:stop] for start, stop in asked) == data
        assert all(0 < stop - start <= 10 for start, stop in asked)
        assert len(told) == len(asked)


@FEW
@given(st.binary(min_size=20, max_size=95), st.integers(0, 200), st.binary(max_size=30))
def test_a_wrong_note_or_wrong_bytes_never_give_the_right_digest(data, count, before):
    """The digest is always that of the bytes on the disk, whoever has written them."""
    with tempfile.TemporaryDirectory() as folder:
        path, source = Path(folder) / "x.part", Source(data)
        reserve(path, source.file)
        with path.open("r+b") as file:
            file.write(before[: len(data)])
        path.with_suffix(".count").write_bytes(count.to_bytes(8, "little"))
        came = fetched(source, path)
        assert came == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (came == source.file.sha256) == (path.read_bytes() == data)


def test_a_place_of_another_size_is_begun_anew(tmp_path):
    path = tmp_path / "x.part"
    path.write_bytes(b"z" * 7)
    path.with_suffix(".count").write_bytes((7).to_bytes(8, "little"))
    source = Source(b"0123456789abc")
    assert fetched(source, path) == source.file.sha256
    assert path.read_bytes() == source.data


def test_the_room_of_a_file_is_taken_before_its_first_part(tmp_path):
    path, source = tmp_path / "x.part", Source(b"x" * 100_000)
    reserve(path, source.file)
    assert path.stat().st_size == 100_000
    assert path.stat().st_blocks * 512 >= 100_000
    assert source.asked == []


def test_an_error_ends_the_fetch_and_so_does_whoever_is_told_of_parts(tmp_path):
    class Gone(Source):
        def pieces(self, key, start, stop):
            raise NotFound("gone")

    with pytest.raises(NotFound):
        fetched(Gone(b"x" * 40), tmp_path / "x.part")

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(Source(b"y" * 200), tmp_path / "y.part", stop)


def test_a_file_that_was_given_up_leaves_nothing(tmp_path):
    path = tmp_path / "x.part"
    with pytest.raises(OutputsAway):
        fetched(Source(b"x" * 40, failing=[2]), path)
    assert path.with_suffix(".count").exists()
    forget(path)
    forget(path)
    assert list(tmp_path.iterdir()) == []
