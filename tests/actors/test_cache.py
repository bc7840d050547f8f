"""Registered models on the disk of a node: fetched once, whole or not at all, within bounds."""

import errno
import hashlib
import multiprocessing
import os
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from actors.models import cache as caching
from actors.models import fetching
from actors.models.cache import WeightsCache
from actors.models.manifests import Manifest, StoredFile
from actors.recipes.errors import LoadFailed, Stopped
from storage.errors import OutputsAway
from storage.keys import weights_key
from storage.outputs import FolderOutputs, open_outputs
from tests.actors.test_painter import job

PART = 1000


class Counting:
    """Outputs that note which parts are asked for, and fail after `most` of them."""

    def __init__(self, outputs, most=10**6, trouble=None):
        self.outputs, self.asked, self.most = outputs, [], most
        self.trouble = trouble or OutputsAway("away")

    def pieces(self, key, start, stop):
        self.asked.append((key, start))
        if len(self.asked) > self.most:
            raise self.trouble
        return self.outputs.pieces(key, start, stop)

    def __getattr__(self, name):
        return getattr(self.outputs, name)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(fetching, "PART", PART)


@pytest.fixture
def outputs(tmp_path):
    return FolderOutputs(tmp_path / "outputs")


def content(name, size):
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def stored(outputs, **sizes):
    """Put files into the outputs, named `folder__name`; returns their manifest."""
    files = []
    for name, size in sizes.items():
        data = content(name, size)
        digest = hashlib.sha256(data).hexdigest()
        outputs.put(weights_key(digest), data)
        path = f"{name.replace('__', '/')}.bin"
        files.append(StoredFile(path=path, bytes=size, sha256=digest))
    manifest = Manifest(digest="d" * 64, files=tuple(files))
    outputs.put(weights_key(manifest.sha256), manifest.data)
    return manifest


def held(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def blob(cache_folder, manifest, number=0):
    return cache_folder / "blobs" / manifest.files[number].sha256


def fetched(cache, manifest):
    with cache.use(manifest.sha256) as folder:
        return held(folder)


def is_here(cache_folder, manifest):
    return (cache_folder / "kept" / manifest.sha256).is_dir()


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_model_comes_as_it_was_stored_and_comes_once(where, tmp_path, request):
    address = str(tmp_path / "o") if where == "folder" else request.getfixturevalue("bucket")
    outputs = Counting(open_outputs(address))
    manifest = stored(outputs, unet__a=2500, unet__empty=0, index=3 * PART)
    cache = WeightsCache(tmp_path / "cache", outputs)
    expected = {
        "unet/a.bin": content("unet__a", 2500),
        "unet/empty.bin": b"",
        "index.bin": content("index", 3 * PART),
    }
    assert fetched(cache, manifest) == expected
    assert len(outputs.asked) == 3 + 3
    assert fetched(WeightsCache(tmp_path / "cache", outputs), manifest) == expected
    assert len(outputs.asked) == 6


def test_what_was_damaged_on_the_disk_is_fetched_again_and_nothing_else(outputs, tmp_path):
    manifest = stored(outputs, a=2500, b=1500)
    counting = Counting(outputs)
    cache = WeightsCache(tmp_path, counting)
    whole = fetched(cache, manifest)
    counting.asked.clear()
    with blob(tmp_path, manifest).open("r+b") as file:
        file.write(b"?")
    assert fetched(cache, manifest) == whole
    assert {key for key, _ in counting.asked} == {weights_key(manifest.files[0].sha256)}
    blob(tmp_path, manifest, 1).write_bytes(b"half")
    assert fetched(cache, manifest) == whole


def test_a_fetch_that_broke_off_goes_on_where_it_was(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_AT_ONCE", 1)
    manifest = stored(outputs, a=10 * PART)
    with pytest.raises(OutputsAway):
        fetched(WeightsCache(tmp_path, Counting(outputs, most=6)), manifest)
    assert not is_here(tmp_path, manifest)
    again = Counting(outputs)
    assert fetched(WeightsCache(tmp_path, again), manifest) == {"a.bin": content("a", 10 * PART)}
    assert 4 * PART <= min(start for _, start in again.asked) <= 6 * PART
    assert not list((tmp_path / "blobs").glob("*.*"))


def _die_in_the_middle(folder, address, sha256):
    class Dying(Counting):
        def pieces(self, key, start, stop):
            if len(self.asked) == 6:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().pieces(key, start, stop)

    fetching.PART, fetching._AT_ONCE = PART, 1
    with WeightsCache(folder, Dying(FolderOutputs(address))).use(sha256):
        pass


def test_a_process_that_is_killed_leaves_what_the_next_one_goes_on_with(outputs, tmp_path):
    manifest = stored(outputs, a=10 * PART, b=100)
    process = multiprocessing.get_context("spawn").Process(
        target=_die_in_the_middle, args=(tmp_path, tmp_path / "outputs", manifest.sha256)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not is_here(tmp_path, manifest)
    again = Counting(outputs)
    whole = {"a.bin": content("a", 10 * PART), "b.bin": content("b", 100)}
    assert fetched(WeightsCache(tmp_path, again), manifest) == whole
    assert 0 < len(again.asked) < 10


def test_a_note_of_more_than_has_come_is_found_out_by_the_digest(outputs, tmp_path):
    manifest = stored(outputs, a=4 * PART)
    cache = WeightsCache(tmp_path, Counting(outputs, most=0))
    with pytest.raises(OutputsAway):
        fetched(cache, manifest)
    part = blob(tmp_path, manifest).with_suffix(".part")
    part.with_suffix(".count").write_bytes((4 * PART).to_bytes(8, "little"))
    assert fetched(WeightsCache(tmp_path, outputs), manifest) == {"a.bin": content("a", 4 * PART)}


def test_those_who_need_the_same_at_once_fetch_it_once(outputs, tmp_path):
    manifest, counting = stored(outputs, a=5 * PART, b=PART), Counting(outputs)
    together = threading.Barrier(4)

    def use(_):
        together.wait()
        return fetched(WeightsCache(tmp_path, counting), manifest)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(use, range(4)))
    assert found == [{"a.bin": content("a", 5 * PART), "b.bin": content("b", PART)}] * 4
    assert len(counting.asked) == 6


def test_whoever_waits_for_another_s_fetch_says_that_it_lives_and_can_be_stopped(
    outputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(caching, "_LOOK_S", 0.01)
    manifest = stored(outputs, a=10)
    fetched(WeightsCache(tmp_path, outputs), stored(outputs, other=10))  # makes the folders
    asked = []

    def on_part():
        asked.append(1)
        if len(asked) == 3:
            raise Stopped

    lock = caching.FileLock(tmp_path / "locks" / f"{manifest.sha256}.lock")
    with (
        lock,
        pytest.raises(Stopped),
        WeightsCache(tmp_path, outputs).use(manifest.sha256, on_part),
    ):
        pass
    assert len(asked) == 3


def test_what_was_not_used_for_longest_makes_room_and_what_is_used_stays(outputs, tmp_path):
    one, two, three = (stored(outputs, **{name: 1000}) for name in ("one", "two", "three"))
    cache = WeightsCache(tmp_path, outputs, limit=2500)
    fetched(cache, one)
    fetched(cache, two)
    os.utime(tmp_path / "kept" / two.sha256, (2, 2))
    with cache.use(one.sha256):
        os.utime(tmp_path / "kept" / one.sha256, (1, 1))  # used before two, and still
        fetched(cache, three)
        assert [is_here(tmp_path, each) for each in (one, two, three)] == [True, False, True]
        assert not blob(tmp_path, two).exists()
    fetched(cache, two)
    assert [is_here(tmp_path, each) for each in (one, two, three)] == [False, True, True]


def test_a_file_that_two_models_have_is_kept_once_and_for_as_long_as_one_of_them(
    outputs, tmp_path
):
    both, alone = stored(outputs, shared=1000, a=500), stored(outputs, shared=1000, b=500)
    counting = Counting(outputs)
    cache = WeightsCache(tmp_path, counting, limit=2000)
    fetched(cache, both)
    fetched(cache, alone)
    shared = weights_key(both.files[0].sha256)
    assert [key for key, _ in counting.asked].count(shared) == 1
    fetched(cache, stored(outputs, c=400))
    assert not is_here(tmp_path, both)
    assert blob(tmp_path, both).exists()
    assert is_here(tmp_path, alone)


def test_a_model_that_has_no_room_is_a_sentence(outputs, tmp_path):
    one, large = stored(outputs, one=1000), stored(outputs, large=1600)
    cache = WeightsCache(tmp_path, outputs, limit=2500)
    with cache.use(one.sha256), pytest.raises(LoadFailed, match=r"1,600 bytes more .* 100 more"):
        fetched(cache, large)
    fetched(cache, large)
    assert not is_here(tmp_path, one)


def test_what_somebody_began_to_fetch_makes_room_last(outputs, tmp_path):
    begun, next_one = stored(outputs, begun=2000), stored(outputs, next=2000)
    with pytest.raises(OutputsAway):
        fetched(WeightsCache(tmp_path, Counting(outputs, most=0), limit=2500), begun)
    assert blob(tmp_path, begun).with_suffix(".part").exists()
    assert fetched(WeightsCache(tmp_path, outputs, limit=2500), next_one)
    assert not blob(tmp_path, begun).with_suffix(".part").exists()


def test_a_full_disk_is_a_sentence_that_names_the_folder(outputs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(LoadFailed, match=r"No space left .* free some space there, or name ano"):
        fetched(WeightsCache(tmp_path / "cache", outputs), stored(outputs, a=10))


def test_a_folder_that_cannot_be_made_is_a_sentence(outputs, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LoadFailed, match="make it writable, or name another folder as FARM_CACHE"):
        fetched(WeightsCache(tmp_path / "file" / "cache", outputs), stored(outputs, a=10))


def test_what_the_outputs_have_lost_or_damaged_is_said_by_its_name(outputs, tmp_path):
    manifest = stored(outputs, unet__a=3000)
    counting = Counting(outputs)
    key = weights_key(manifest.files[0].sha256)
    outputs.put(key, b"?" * 3000)
    with pytest.raises(LoadFailed, match=r"its file unet/a\.bin is damaged in the outputs"):
        fetched(WeightsCache(tmp_path, counting), manifest)
    assert len(counting.asked) == 2 * 3
    outputs.put(key, b"short")
    with pytest.raises(LoadFailed, match=r"unet/a\.bin is damaged"):
        fetched(WeightsCache(tmp_path, outputs), manifest)
    outputs.delete(key)
    with pytest.raises(LoadFailed, match=r"unet/a\.bin is not in the outputs any more"):
        fetched(WeightsCache(tmp_path, outputs), manifest)
    outputs.put(weights_key(manifest.sha256), b"{}")
    with pytest.raises(LoadFailed, match="list of its files in the outputs is damaged"):
        fetched(WeightsCache(tmp_path, outputs), manifest)
    outputs.delete(weights_key(manifest.sha256))
    with pytest.raises(LoadFailed, match="it is not in the outputs any more"):
        fetched(WeightsCache(tmp_path, outputs), manifest)


def test_an_error_of_whoever_uses_a_model_stays_what_it_is(outputs, tmp_path):
    manifest = stored(outputs, a=10)
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(OSError, match="of the painter"))
        stack.enter_context(WeightsCache(tmp_path, outputs).use(manifest.sha256))
        raise OSError("of the painter")


def test_the_next_model_is_fetched_while_one_paints_and_then_read(outputs, tmp_path, caplog):
    from actors.painting.painter import Painter
    from actors.painting.resting import RestingEngine

    class Expecting(RestingEngine):
        def expect(self, group, folder):
            expected.append((group, folder))

    expected, manifest, lost = [], stored(outputs, a=3000), stored(outputs, b=10)
    outputs.delete(weights_key(lost.files[0].sha256))
    painter = Painter("w", Expecting(0.0), outputs, WeightsCache(tmp_path, outputs))
    mood, next_one = stored(outputs, c=20), job(model_folder="/not/here")
    painter.expect(replace(next_one, manifest=lost.sha256))
    painter.expect(replace(next_one, manifest=manifest.sha256, likeness_manifest=mood.sha256))
    painter.expect(replace(next_one, likeness_manifest=mood.sha256))
    painter.expect(next_one)
    painter._fetcher.shutdown(wait=True)
    kept = tmp_path / "kept"
    assert expected.count((next_one.group, str(kept / manifest.sha256))) == 1
    assert expected.count((next_one.group, "/not/here")) == 2
    assert len(expected) == 3
    assert (kept / mood.sha256).is_dir()
    assert "were not fetched: its file b.bin is not in the outputs" in caplog.text


SIZES = {"a": 900, "b": 1500, "c": 400, "shared": 700}
MODELS = [("a",), ("b", "shared"), ("c", "shared"), ("a", "c"), ("b",)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["use", "damage", "cut", "lose", "break off"]), st.integers(0, 4)),
    max_size=14,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    outputs = FolderOutputs(tmp_path_factory.mktemp("kept"))
    return outputs, [stored(outputs, **{name: SIZES[name] for name in each}) for each in MODELS]


@effort(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_a_model_is_whole_when_it_is_used_and_the_bound_is_kept(kept, steps):
    outputs, models = kept
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for what, number in steps:
            manifest = models[number]
            blobs = [place / "blobs" / file.sha256 for file in manifest.files]
            present = [path for path in blobs if path.exists()]
            if what == "use":
                found = fetched(WeightsCache(place, outputs, limit=2400), manifest)
                assert found == {
                    f"{name}.bin": content(name, SIZES[name]) for name in MODELS[number]
                }
            elif what == "break off":
                broken = WeightsCache(place, Counting(outputs, most=1), limit=2400)
                with suppress(OutputsAway):
                    fetched(broken, manifest)
            elif present and what == "damage":
                present[0].write_bytes(b"?" * present[0].stat().st_size)
            elif present and what == "cut":
                os.truncate(present[0], 3)
            elif present:
                present[0].unlink()
            taken = [
                path.stat().st_size for path in place.glob("blobs/*") if path.suffix != ".count"
            ]
            assert sum(taken) <= 2400
