"""What every store of outputs must do, in a folder and in a bucket of a real S3 server."""

import base64
import errno
import io
import os
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import IncompleteReadError

from storage import s3
from storage.bench.seaweed import (
    ACCESS_KEY,
    DOMAIN,
    READER_KEY,
    READER_SECRET,
    SECRET_KEY,
    temporary_seaweed,
)
from storage.errors import (
    BadKey,
    NotFound,
    OutputsAway,
    OutputsError,
    OutputsForbidden,
    RequestError,
)
from storage.outputs import LEFT_BEHIND_S, FolderOutputs
from storage.s3 import S3Outputs, _streamed


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


def test_a_part_and_the_size_of_a_file_can_be_asked_for(store):
    store.put("k", b"0123456789")
    assert store.size("k") == 10
    assert store.part("k", 0, 10) == b"0123456789"
    assert store.part("k", 3, 5) == b"34"
    assert store.part("k", 8, 99) == b"89"
    assert b"".join(store.pieces("k", 3, 9)) == b"345678"
    for ask in (store.size, lambda key: store.part(key, 0, 1)):
        with pytest.raises(NotFound):
            ask("nothing")


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


@pytest.mark.parametrize(
    "key", ["p/a b+c%20&?#=.png", "p/\N{SNOWMAN}/é.png", "p/%2e%2e/x", "p/" + "long" * 50]
)
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


def test_a_copy_is_whole_and_replaces(store):
    store.put("a/1.png", b"one")
    store.put("b/2.png", b"another")
    store.copy("a/1.png", "b/2.png")
    store.copy("a/1.png", "c/3 \N{SNOWMAN}.png")
    assert [read(store, key) for key in ("a/1.png", "b/2.png", "c/3 \N{SNOWMAN}.png")] == [
        b"one"
    ] * 3


def test_a_copy_of_what_is_not_there_says_so_and_leaves_nothing(store):
    with pytest.raises(NotFound, match=r"gone\.png"):
        store.copy("a/gone.png", "b/2.png")
    assert list(store.keys("")) == []


def test_a_file_is_no_folder(store):
    store.put("a", b"x")
    with pytest.raises(NotFound):
        store.open("a/b")
    store.delete("a/b")
    assert read(store, "a") == b"x"


def test_nothing_that_is_whole_is_swept(store):
    store.put("a/1.png", b"x")
    assert store.sweep(0) == 0
    assert list(store.keys("")) == ["a/1.png"]


def test_what_is_deleted_is_gone_and_deleting_twice_is_once(store):
    store.put("a/k", b"x")
    for _ in range(2):
        store.delete("a/k")
    with pytest.raises(NotFound):
        store.open("a/k")


def test_folders_that_are_left_empty_go_with_their_last_file(tmp_path):
    store = FolderOutputs(tmp_path / "outputs")
    for key in ("p/c/final/s/1.png", "p/c/final/s/2.png", "p/d/1.png"):
        store.put(key, b"x")
    store.delete("p/c/final/s/1.png")
    assert (tmp_path / "outputs/p/c/final/s").is_dir()
    store.delete("p/c/final/s/2.png")
    store.delete("p/c/final/s/2.png")
    assert [path.name for path in (tmp_path / "outputs/p").iterdir()] == ["d"]
    store.delete("p/d/1.png")
    assert list((tmp_path / "outputs").iterdir()) == []
    store.put("p/d/1.png", b"x")


def test_files_can_be_written_where_others_are_deleted(tmp_path):
    """A folder that is empty for a moment may be removed between being made and being written
    to.
    """
    store = FolderOutputs(tmp_path)

    def put_and_delete(k):
        store.put(f"p/c/{k}", b"x")
        store.delete(f"p/c/{k}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put_and_delete, range(100)))
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "key", ["", ".", "a\0b", "a/\ud800", "x" * 300 + "/" + "y" * 900, "a", "a/", "a/1.png/b"]
)
def test_a_key_that_is_no_file_is_no_trouble_of_the_storage(store, key):
    store.put("a/1.png", b"x")
    with pytest.raises((BadKey, NotFound)) as caught:
        store.read(key, 10)
    assert type(caught.value) in (BadKey, NotFound)


def test_what_cannot_be_read_is_told_without_the_servers_paths_and_without_advice_about_space(
    tmp_path, monkeypatch
):
    store = FolderOutputs(tmp_path)
    store.put("a/1.png", b"x")
    for number in (errno.EACCES, errno.EIO, errno.EMFILE):

        def refuse(*_args, number=number, **_more):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refuse)
            with pytest.raises(
                OutputsError,
                match=f"Cannot read a/1.png in the outputs folder .*{os.strerror(number)}",
            ) as caught:
                store.open("a/1.png")
        assert "space" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "use", [lambda store: store.read("a/1.png", 9), lambda store: store.copy("a/1.png", "b/2.png")]
)
def test_a_read_that_breaks_off_is_told_as_a_read_without_advice_about_space(
    tmp_path, monkeypatch, use
):
    class Broken(io.FileIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = FolderOutputs(tmp_path)
    store.put("a/1.png", b"x")
    monkeypatch.setattr(store, "open", lambda key: Broken(tmp_path / key))
    with pytest.raises(OutputsAway, match=r"Cannot read a/1.png .*make .* readable") as caught:
        use(store)
    assert "space" not in str(caught.value)
    assert list(store.keys("")) == ["a/1.png"]


def test_a_removal_that_fails_gives_no_advice_about_space(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    store = FolderOutputs(tmp_path)
    store.put("a/1.png", b"x")
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputsForbidden, match=r"Cannot delete .*writable") as caught:
        store.delete("a/1.png")
    assert "space" not in str(caught.value)


def test_pipes_and_half_written_files_are_no_files(tmp_path):
    store, part = FolderOutputs(tmp_path), f".{'a' * 32}.part"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / part).write_bytes(b"half")
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    for key in ("pipe", part):
        with pytest.raises(NotFound):
            store.open(key)
    assert list(store.keys("")) == ["pipe"]


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


def test_a_folder_without_permission_is_told_from_one_that_is_full(tmp_path, monkeypatch):
    for number, kind in (
        (errno.EACCES, OutputsForbidden),
        (errno.ENOSPC, OutputsAway),
        (errno.ENAMETOOLONG, OutputsError),
    ):

        def refuse(*_args, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(OutputsError, match=f"Cannot write .*{os.strerror(number)}") as caught:
            FolderOutputs(tmp_path).put("k", b"")
        assert type(caught.value) is kind


def test_half_written_files_of_the_dead_are_swept_when_they_are_old(tmp_path):
    store = FolderOutputs(tmp_path)
    store.put("p/1.png", b"x")
    old, new, foreign = (
        tmp_path / "p" / name for name in (f".{'a' * 32}.part", f".{'b' * 32}.part", ".mine.part")
    )
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign, tmp_path / "p" / "1.png"):
        os.utime(path, (0, 0))
    assert store.sweep(LEFT_BEHIND_S) == 1
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == sorted(
        [new.name, foreign.name, "1.png"]
    )


# --- how a bucket is spoken to ---


@pytest.fixture
def client(bucket):
    import boto3

    return boto3.session.Session().client("s3")


def test_uploads_in_parts_that_nobody_finishes_are_swept_when_they_are_old(bucket, client):
    store, name = S3Outputs(f"{bucket}/p"), bucket.removeprefix("s3://")
    for key in ("p/half.png", "q/others.png"):
        client.create_multipart_upload(Bucket=name, Key=key)
    assert store.sweep(LEFT_BEHIND_S) == 0
    assert store.sweep(-LEFT_BEHIND_S) == 1
    assert [upload["Key"] for upload in client.list_multipart_uploads(Bucket=name)["Uploads"]] == [
        "q/others.png"
    ]


def test_what_is_very_large_is_copied_in_parts(bucket, client, monkeypatch):
    monkeypatch.setattr(
        "storage.s3._COPYING",
        TransferConfig(
            multipart_threshold=5 << 20, multipart_chunksize=5 << 20, use_threads=False
        ),
    )
    store, data = S3Outputs(f"{bucket}/p"), os.urandom(12 << 20)
    store.put("large", data)
    store.copy("large", "again")
    assert read(store, "again") == data
    assert client.head_object(Bucket=bucket.removeprefix("s3://"), Key="p/again")["ETag"].endswith(
        '-3"'
    )


@pytest.mark.parametrize(("style", "host"), [("path", DOMAIN), ("virtual", "BUCKET." + DOMAIN)])
def test_a_bucket_is_named_in_the_path_or_in_the_host(bucket, monkeypatch, style, host):
    """SeaweedFS answers to both; the name of its host is looked up here, as no name server knows
    it.
    """
    hosts, look_up = set(), socket.getaddrinfo

    def look_up_here(name, *rest, **more):
        hosts.add(name)
        return look_up("127.0.0.1" if name.endswith(DOMAIN) else name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    monkeypatch.setenv(
        "AWS_ENDPOINT_URL_S3", os.environ["AWS_ENDPOINT_URL_S3"].replace("127.0.0.1", DOMAIN)
    )
    store = S3Outputs(f"{bucket}/p", style=style)
    store.put("k", b"x")
    store.copy("k", "again")
    assert (read(store, "again"), sorted(store.keys(""))) == (b"x", ["again", "k"])
    assert hosts == {host.replace("BUCKET", bucket.removeprefix("s3://"))}


def test_keys_region_and_endpoint_come_from_a_profile(bucket, monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        "[profile farm]\nregion = eu-north-1\nendpoint_url ="
        f" {os.environ['AWS_ENDPOINT_URL_S3']}\n"
    )
    (tmp_path / "keys").write_text(
        f"[farm]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "farm")
    store = S3Outputs(bucket)
    store.put("k", b"x")
    assert read(store, "k") == b"x"
    monkeypatch.setenv("AWS_PROFILE", "another")
    with pytest.raises(OutputsError, match=r"profile \(another\).*Correct AWS_"):
        S3Outputs(bucket)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-north-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_the_region_is_the_one_that_the_environment_names(monkeypatch, given, region):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert S3Outputs("s3://somewhere")._client.meta.region_name == region


def test_what_is_sent_carries_a_checksum_and_what_comes_is_looked_at(bucket, monkeypatch, faulty):
    # "AAAAAA==" is the checksum of nothing.
    with faulty(
        os.environ["AWS_ENDPOINT_URL_S3"],
        "http-request capture req.hdr(x-amz-checksum-crc32) len 16",
        "http-response set-header X-Sent %[capture.req.hdr(0)]",
        'http-response set-header x-amz-checksum-crc32 "AAAAAA==" if METH_GET',
        "http-response del-header x-amz-checksum-crc32 unless METH_GET",
    ) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        store = S3Outputs(bucket)
        seen = []
        store._client.meta.events.register(
            "needs-retry.s3.PutObject", lambda response, **_: seen.append(response[0].headers)
        )
        store.put("k", b"x")
        assert seen[0]["X-Sent"] == base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
        with pytest.raises(OutputsAway, match="not those that the server says it sent"):
            store.open("k")


@pytest.mark.parametrize("endpoint", ["s3.internal:8333", "no address"])
def test_an_endpoint_that_is_no_address_is_a_sentence(bucket, monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(OutputsError, match="AWS_ENDPOINT_URL_S3 is no address"):
        S3Outputs(bucket)


# --- what a bucket may refuse ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"AWS_ACCESS_KEY_ID": READER_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET},
            "AccessDenied: give these keys s3:PutObject on",
        ),
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
    assert not any(
        secret in str(caught.value)
        for secret in ("devsecret123", READER_SECRET, "wrong-secret", "nobody")
    )


def test_a_bucket_that_is_not_there_is_a_sentence(bucket):
    with pytest.raises(OutputsError, match="NoSuchBucket: make the bucket"):
        S3Outputs(f"{bucket}-not").put("k", b"")
    with pytest.raises(OutputsError, match="NoSuchBucket"):
        list(S3Outputs(f"{bucket}-not").keys(""))


def test_a_bucket_that_cannot_be_called_so_is_a_sentence(bucket):
    with pytest.raises(OutputsError, match="no bucket or file can be called so"):
        S3Outputs("s3://no bucket?/p").put("k", b"")


def test_a_copy_that_is_forbidden_says_what_it_needs(bucket, monkeypatch):
    S3Outputs(bucket).put("k", b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    with pytest.raises(
        OutputsForbidden, match=r"CopyObject failed .*s3:GetObject, s3:PutObject and s3:ListBucket"
    ):
        S3Outputs(bucket).copy("k", "again")


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


def when_it_is_back(do):
    """A server that answers again takes a while to find its data."""
    for _ in range(100):
        try:
            return do()
        except OutputsAway:
            threading.Event().wait(0.1)
    return do()


def test_a_server_that_was_killed_is_away_and_has_what_it_took_when_it_is_back(
    seaweed, monkeypatch
):
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
        when_it_is_back(lambda: store.put("p/late", b""))
        when_it_is_back(lambda: read(store, "p/7"))
        assert len(list(store.keys("p"))) == 21
        assert read(store, "p/7") == b"x" * 1000


def test_a_store_knows_what_it_has(store):
    store.put("p/a.png", b"abc")
    assert store.has("p/a.png")
    assert not store.has("p/b.png")
    assert not store.has("p")
    store.delete("p/a.png")
    assert not store.has("p/a.png")
    with pytest.raises(BadKey):
        store.has("../secret")


def test_an_address_is_of_one_file_for_some_seconds(store):
    import httpx

    store.put("p/a.png", b"abc")
    store.put("p/page.html", b"<script>")
    address = store.address_of("p/a.png", 60)
    if isinstance(store, FolderOutputs):
        assert address is None
        return
    answer = httpx.get(address)
    assert (answer.status_code, answer.content) == (200, b"abc")
    assert answer.headers["content-type"] == "image/png"
    assert "content-disposition" not in answer.headers
    page = httpx.get(store.address_of("p/page.html", 60))
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"] == "attachment"
    other = httpx.get(address.replace("a.png", "page.html"))
    assert other.status_code == 403
    assert httpx.put(address, content=b"other").status_code == 403
    assert httpx.get(address.replace("Expires=60", "Expires=9999")).status_code == 403


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "a\0b"])
def test_there_is_no_address_out_of_the_store(store, key):
    with pytest.raises(BadKey):
        store.address_of(key, 60)


def test_a_part_that_breaks_off_is_asked_for_again_from_there_on():
    class Body(io.BytesIO):
        def __init__(self, data, breaks):
            super().__init__(data)
            self.breaks = breaks

        def read(self, size):
            data = super().read(3)
            if not data and self.breaks:
                raise IncompleteReadError(actual_bytes=3, expected_bytes=9)
            return data

    class Client:
        def __init__(self, *bodies):
            self.bodies, self.asked = list(bodies), []

        def get_object(self, *, Bucket, Key, Range):  # noqa: N803  # as boto3 calls them
            self.asked.append(Range)
            return {"Body": self.bodies.pop(0)}

    place = {"Bucket": "b", "Key": "k"}
    client = Client(Body(b"234", True), Body(b"5678", False))
    assert b"".join(_streamed(client, place, 2, 9, 2)) == b"2345678"
    assert client.asked == ["bytes=2-8", "bytes=5-8"]
    with pytest.raises(IncompleteReadError):
        list(_streamed(Client(Body(b"", True), Body(b"", True)), place, 2, 9, 2))


def test_a_file_that_breaks_off_is_read_anew_and_a_large_one_lies_on_the_disk(monkeypatch):
    class Body(io.BytesIO):
        def __init__(self, data, breaks):
            super().__init__(data)
            self.breaks = breaks

        def iter_chunks(self, size):
            yield from iter(lambda: self.read(size), b"")
            if self.breaks:
                raise IncompleteReadError(actual_bytes=3, expected_bytes=9)

    class Client:
        def __init__(self, *bodies):
            self.bodies = list(bodies)

        def get_object(self, *, Bucket, Key):  # noqa: N803  # as boto3 calls them
            return {"Body": self.bodies.pop(0), "ContentLength": 9}

    def store_of(*bodies):
        store = S3Outputs("s3://b", attempts=2)
        store._client = Client(*bodies)
        return store

    monkeypatch.setattr(s3, "_IN_MEMORY", 4)
    with store_of(Body(b"123", True), Body(b"123456789", False)).open("k") as file:
        assert file.read() == b"123456789"
        assert file._rolled
    assert store_of(Body(b"12", True), Body(b"123456789", False)).read("k", 9) == b"123456789"
    with pytest.raises(OutputsError):
        store_of(Body(b"", True), Body(b"1", True)).open("k")
