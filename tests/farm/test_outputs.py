"""What the farm does with the place of its pictures besides writing them: proving it, tidying it,
and choosing keys that fit it.
"""

import logging
import os
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from farm.campaign.shots import Render, Shot
from farm.campaign.specs import picture_key_of
from farm.commands.doctor import CHECKS
from farm.config import read_settings
from farm.dispatch.process import sweep
from storage.bench.seaweed import READER_KEY, READER_SECRET, SECRET_KEY
from storage.errors import OutputsAway, OutputsError, SeedbedError
from storage.outputs import FolderOutputs, open_outputs
from storage.states import Stage
from tests.haproxy import answers

look = CHECKS["outputs"]


@pytest.fixture
def at(tmp_path):
    return lambda outputs: read_settings(home=tmp_path / "home", outputs=str(outputs))


# --- farm doctor ---


def test_a_place_that_is_fine_is_left_as_it_was(at, bucket, tmp_path):
    for place in (f"{bucket}/farm", tmp_path / "outputs"):
        assert look(at(place)) == f"{place} can be written, read, listed, copied and cleared"
        assert list(open_outputs(str(place)).keys("")) == []


def test_every_permission_that_is_missing_is_named(at, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    with pytest.raises(SeedbedError) as caught:
        look(at(bucket))
    said = str(caught.value)
    assert "give these keys s3:PutObject on the bucket" in said
    assert "give these keys s3:DeleteObject on the bucket" in said
    assert "GetObject failed" not in said
    assert "ListBucket failed" not in said
    assert READER_SECRET not in said


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("GET", "s3:GetObject and s3:ListBucket"),
        ("DELETE", "s3:DeleteObject"),
        ("HEAD", "s3:GetObject, s3:PutObject and s3:ListBucket"),
    ],
)
def test_one_permission_that_is_missing_is_named_alone(
    at, bucket, monkeypatch, faulty, method, words
):
    with faulty(
        os.environ["AWS_ENDPOINT_URL_S3"],
        answers(403, "AccessDenied", f"if {{ method {method} }}"),
    ) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(SeedbedError, match=words) as caught:
            look(at(bucket))
    assert "PutObject failed" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "SignatureDoesNotMatch: check the AWS keys"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId: check the AWS keys"),
    ],
)
def test_wrong_keys_are_said_once(at, bucket, monkeypatch, change, words):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OutputsError, match=words) as caught:
        look(at(bucket))
    assert str(caught.value).count(words) == 1
    assert not any(secret in str(caught.value) for secret in (SECRET_KEY, "wrong-secret"))


def test_a_missing_bucket_is_said_once(at, bucket):
    with pytest.raises(OutputsError, match="NoSuchBucket: make the bucket") as caught:
        look(at(f"{bucket}-not"))
    assert str(caught.value).count("NoSuchBucket") == 1


def test_a_clock_that_is_wrong_is_said(at, bucket, monkeypatch, faulty):
    target = os.environ["AWS_ENDPOINT_URL_S3"]
    for rule, words in (
        (
            'http-response set-header Date "Mon, 01 Jan 2024 00:00:00 GMT"',
            r"The clock of this machine is \d+ s from that of s3://.*: set it",
        ),
        (answers(403, "RequestTimeTooSkewed"), "RequestTimeTooSkewed: set this machine's clock"),
    ):
        with faulty(target, rule) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
            with pytest.raises(SeedbedError, match=words):
                look(at(bucket))


def test_a_store_that_forgets_or_changes_what_it_is_given_is_refused(at, tmp_path, monkeypatch):
    monkeypatch.setattr(FolderOutputs, "keys", lambda *_: iter(()))
    with pytest.raises(SeedbedError, match="does not list what was just written"):
        look(at(tmp_path / "outputs"))
    put = FolderOutputs.put
    monkeypatch.setattr(FolderOutputs, "put", lambda self, key, data: put(self, key, data[:-1]))
    with pytest.raises(SeedbedError, match="other bytes than were written"):
        look(at(tmp_path / "outputs"))


# --- tidying up ---


def test_a_dispatcher_that_begins_removes_what_the_killed_have_left(
    outputs, tmp_path, monkeypatch, caplog
):
    outputs.put("p/1.png", b"x")
    part = tmp_path / "outputs" / "p" / f".{'a' * 32}.part"
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    with caplog.at_level(logging.INFO):
        sweep(outputs)
    assert not part.exists()
    assert "Removed 1 half-written file" in caplog.text

    def away(_older_than_s):
        raise OutputsAway("The store is away.")

    monkeypatch.setattr(outputs, "sweep", away)
    sweep(outputs)
    assert "stay there: The store is away." in caplog.text


# --- keys ---

# Lone surrogates are refused with the campaign.
scalars = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            "..",
            ".",
            "../..",
            "/",
            "a/../b",
            "CON",
            "nul.txt",
            "con.",
            "x" * 10_000,
            "é" * 10_000,
            "\0",
            "a\\b",
            "~",
            "-rf",
        ]
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,79}", fullmatch=True)


def key_of(coordinates, project="p", name="c", seed=1):
    shot = Shot(coordinates=coordinates, by_content=coordinates, prompt="", negative="")
    return picture_key_of(
        SimpleNamespace(project=project, title=name, version=1, stage=Stage.FINAL),
        Render(number=0, shot=shot, seed=seed),
        "png",
    )


@given(
    coordinates=st.dictionaries(
        st.text(min_size=1, max_size=40),
        scalars | st.dictionaries(st.text(max_size=5), scalars, max_size=3),
        max_size=20,
    ),
    project=names,
    name=names,
    seed=st.integers(0, 2**32 - 1),
)
@example(coordinates={}, project="a" * 80, name="b" * 80, seed=2**32 - 1)
def test_any_values_make_a_key_that_any_store_takes(coordinates, project, name, seed):
    key = key_of(coordinates, project, name, seed)
    parts = key.split("/")
    assert len(parts) == 5
    assert len(key.encode()) <= 1024
    assert all(
        0 < len(part.encode()) <= 255 and part.isascii() and part.isprintable() for part in parts
    )
    assert not any(
        part.startswith(".") or part.endswith((".", " ")) or set(part) & set('<>:"\\|?* ')
        for part in parts
    )
    assert not any(part.split(".")[0].upper() in RESERVED for part in parts[3:])


RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10)),
}


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), scalars, max_size=4),
    st.dictionaries(st.text(min_size=1, max_size=9), scalars, max_size=4),
)
@example({"a": "x"}, {"a": "X"})
@example({"a": "x/y"}, {"a": "x y"})
@example({"a": 1}, {"a": "1"})
def test_two_shots_never_share_a_key_even_where_capitals_are_the_same(one, other):
    assert (key_of(one).lower() == key_of(other).lower()) == (
        repr(dict(sorted(one.items()))) == repr(dict(sorted(other.items())))
    )


@pytest.fixture
def stores(outputs, bucket):
    return outputs, open_outputs(f"{bucket}/farm")


@given(coordinates=st.dictionaries(st.text(min_size=1, max_size=9), scalars, max_size=4))
@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_picture_has_the_same_key_in_a_folder_and_in_a_bucket(stores, coordinates):
    key = key_of(coordinates)
    for store in stores:
        store.put(key, b"x")
        assert list(store.keys("p/c")) == [key]
        store.delete(key)
