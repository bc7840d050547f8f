"""What an S3 server may do to the farm: errors, silence, closed connections, between them by
HAProxy.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.bench.seaweed import SECRET_KEY
from storage.errors import NotFound, OutputsAway, OutputsError
from storage.s3 import S3Outputs
from tests.haproxy import answers, busy, hangs_up, is_slow

DIRECT = "AWS_ENDPOINT_URL_S3"
OPERATIONS = {
    "PutObject": lambda store: store.put("k", b"x"),
    "GetObject": lambda store: store.open("k").close(),
    "DeleteObject": lambda store: store.delete("k"),
    "CopyObject": lambda store: store.copy("k", "again"),
    "ListBucket": lambda store: list(store.keys("")),
    "ListBucketMultipartUploads": lambda store: store.sweep(0),
    "HeadBucket": lambda store: store.clock_skew_s(),
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between attempts boto3 waits for seconds; how long is none of a test's business. Where a
    fifth of all requests fail, it soon tries none of them again (its retry quota), which is right:
    then the campaign waits.
    """
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0
    )


@pytest.fixture
def through(faulty, bucket, monkeypatch):
    """Leads the usual AWS chain through a proxy with these rules, for as long as a block lasts."""
    target = os.environ[DIRECT]

    class Through:
        def __init__(self, *rules):
            self._proxy = faulty(target, *rules)

        def __enter__(self):
            monkeypatch.setenv(DIRECT, self._proxy.__enter__())

        def __exit__(self, *error):
            self._proxy.__exit__(*error)
            monkeypatch.setenv(DIRECT, target)

    return Through


@pytest.mark.parametrize("fault", [busy(15), hangs_up(15)], ids=["busy", "hangs up"])
def test_what_fails_now_and_then_is_done_all_the_same(bucket, through, fault):
    with through(fault):
        store = S3Outputs(bucket, attempts=12)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda k: store.put(f"p/{k}", b"%d" % k), range(100)))
            assert list(pool.map(lambda k: store.read(f"p/{k}", 9_999), range(100))) == [
                b"%d" % k for k in range(100)
            ]
            list(pool.map(lambda k: store.copy(f"p/{k}", f"q/{k}"), range(100)))
        assert len(list(store.keys("q"))) == 100
    assert set(S3Outputs(bucket).keys("")) == {
        f"{folder}/{k}" for folder in "pq" for k in range(100)
    }


def test_an_answer_that_is_too_slow_is_asked_for_again(bucket, through):
    with through(is_slow(20)):
        store = S3Outputs(bucket, read_timeout_s=0.2, attempts=20)
        for k in range(20):
            store.put(f"p/{k}", b"x")
    assert len(list(S3Outputs(bucket).keys("p"))) == 20


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (busy(100), r"503: the server is busy"),
        (
            answers(503, "SlowDown"),
            r"(SlowDown|503): the server is busy",
        ),  # a HEAD has no words
        (hangs_up(100), r"the server does not answer \(\w+\): check AWS_ENDPOINT_URL_S3"),
        (is_slow(100), r"the server does not answer \(ReadTimeoutError\)"),
    ],
    ids=["busy", "slow down", "hangs up", "slow"],
)
def test_what_may_pass_is_told_as_such(bucket, through, operation, fault, words):
    with (
        through(fault),
        pytest.raises(OutputsAway, match=rf"{operation} failed on {bucket}/.*: {words}") as caught,
    ):
        OPERATIONS[operation](S3Outputs(bucket, read_timeout_s=0.1, attempts=2))
    assert SECRET_KEY not in repr(caught.value)
    if operation not in ("PutObject", "CopyObject"):
        assert "room" not in str(caught.value), "a read or a removal needs none"


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "RequestTimeTooSkewed", "set this machine's clock"),
        (403, "AccessDenied", "s3:PutObject"),
        (403, "ExpiredToken", "renew them"),
        (400, "ExpiredToken", "renew them"),
        (404, "NoSuchBucket", "make the bucket"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (501, "NotImplemented", "use another"),
        (405, "MethodNotAllowed", "look at what the bucket allows"),
    ],
)
def test_what_will_not_pass_is_told_with_what_to_do(bucket, through, status, code, words):
    with (
        through(answers(status, code)),
        pytest.raises(
            OutputsError, match=f"PutObject failed on {bucket}/k: {code}: .*{words}"
        ) as caught,
    ):
        S3Outputs(bucket).put("k", b"x")
    assert not isinstance(caught.value, OutputsAway)


def test_a_clock_that_is_wrong_is_measured(bucket, through):
    with through('http-response set-header Date "Mon, 01 Jan 2024 00:00:00 GMT"'):
        assert S3Outputs(bucket).clock_skew_s() > 86_400
    assert S3Outputs(bucket).clock_skew_s() < 60


def test_an_upload_that_breaks_off_leaves_no_parts_and_nothing_to_be_seen(bucket, through):
    import boto3

    data = os.urandom(40 << 20)
    with (
        through("http-request return status 500 if { url_param(partNumber) 2 }"),
        pytest.raises(OutputsAway, match=r"PutObject failed .*busy or out of room"),
    ):
        S3Outputs(bucket, attempts=2).put("large", data)
    store = S3Outputs(bucket)
    with pytest.raises(NotFound):
        store.open("large")
    assert list(store.keys("")) == []
    assert "Uploads" not in boto3.session.Session().client("s3").list_multipart_uploads(
        Bucket=bucket.removeprefix("s3://")
    )


def test_an_answer_that_breaks_off_in_the_middle_is_no_file(bucket, monkeypatch):
    """The server promises more bytes than it sends."""
    import socket
    import threading

    S3Outputs(bucket).put("k", b"x" * 1000)
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_half():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)

    thread = threading.Thread(target=answer_half)
    thread.start()
    monkeypatch.setenv(DIRECT, f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        with pytest.raises(OutputsAway, match="GetObject failed"):
            S3Outputs(bucket, attempts=2).open("k")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
