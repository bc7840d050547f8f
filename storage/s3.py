"""Outputs in a bucket of S3, or of anything that speaks like it. boto3 is called from here alone.

Endpoint, region and keys come from where AWS' own tools find them (AWS_ENDPOINT_URL_S3,
AWS_REGION, AWS_PROFILE, instance roles …); none is ever shown, logged or stored.
"""

import os
import posixpath
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from storage.errors import BadKey, NotFound, OutputsAway, OutputsError, OutputsForbidden
from storage.store import PIECE, SCHEME, is_text, refuse_larger

_CONNECTIONS = 64  # more than there are threads in any process of the farm: the API has 40
_LONGEST_KEY = 1024
_IN_MEMORY = 8 * 1024 * 1024
"""Bytes of an open file, beyond which it lies on the disk."""
_LARGE = 16 * 1024 * 1024
_TRANSFER = TransferConfig(
    multipart_threshold=_LARGE, multipart_chunksize=_LARGE, use_threads=False
)
# A server copies up to 5 GB in one request, and more in parts.
_COPYING = TransferConfig(
    multipart_threshold=5 * 1024**3, multipart_chunksize=1024**3, use_threads=False
)

# What to do about a refusal that will not pass by itself.
_REMEDIES = {
    "NoSuchBucket": "make the bucket, or name another.",
    "InvalidAccessKeyId": "check the AWS keys that the farm runs with.",
    "SignatureDoesNotMatch": "check the AWS keys that the farm runs with.",
    "ExpiredToken": "the AWS keys have expired: renew them, then start the farm again.",
    "InvalidRange": "the file ends before that part: somebody has put another in its place.",
    "NotImplemented": "this server cannot do that: use another.",
    "RequestTimeTooSkewed": "set this machine's clock: it is too far from the server's.",
    "PermanentRedirect": "set AWS_REGION to the bucket's own region.",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's own region.",
}
_STATUS = {301: "PermanentRedirect", 403: "AccessDenied", 501: "NotImplemented"}
# The permissions that each operation needs. Only who may list is told a missing key from a
# forbidden one.
_PERMISSIONS = {
    "GetObject": "s3:GetObject and s3:ListBucket",
    "CopyObject": "s3:GetObject, s3:PutObject and s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
}
_WRITES = frozenset({"PutObject", "CopyObject"})
# Errors that pass: the server is busy, restarting, or out of room.
_PASSING = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "InternalError",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
    }
)


def _region() -> str | None:
    """AWS' other tools read AWS_REGION first; boto3 reads AWS_DEFAULT_REGION and files alone."""
    return os.environ.get("AWS_REGION") or None


class S3Outputs:
    """Outputs under a prefix of a bucket. An object can be read only once it is whole: that is how
    S3 writes.
    """

    def __init__(
        self, address: str, *, style: str = "auto", read_timeout_s: float = 60.0, attempts: int = 6
    ) -> None:
        """`address` is like s3://bucket/prefix, `style` how buckets are named in requests: auto,
        path or virtual. A request that is not answered in `read_timeout_s`, or with a fault of the
        server, is made again, up to `attempts` times in all.

        Raises OutputsError if the address names no bucket, or the settings of AWS' tools cannot
        be read.
        """
        self._bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        if not self._bucket:
            raise OutputsError(
                f"The outputs {address} name no bucket: write s3://bucket or s3://bucket/prefix."
            )
        self._prefix = prefix.strip("/")
        self._below = f"{self._prefix}/" if self._prefix else ""
        self.address = f"{SCHEME}{self._bucket}/{self._prefix}".rstrip("/")
        self._attempts = attempts
        # One client for all threads of a process. Checksums are sent and looked at wherever the
        # server knows them.
        config = Config(
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=read_timeout_s,
            s3={"addressing_style": style},
            signature_version="s3v4",  # addresses would have an older one
            user_agent_extra="seedbed",
        )
        try:
            self._client: Any = boto3.session.Session(region_name=_region()).client(
                "s3", config=config
            )
        except (
            BotoCoreError,
            ValueError,
        ) as exc:  # says which profile, file or address it was, or too much of one
            said = (
                str(exc) if isinstance(exc, BotoCoreError) else "AWS_ENDPOINT_URL_S3 is no address"
            )
            raise OutputsError(
                f"The settings that lead to {self.address} cannot be used: {said}. Correct AWS_…"
                " and start again."
            ) from None

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        name = self._name(key)
        with self._telling("PutObject", name):
            if isinstance(data, bytes) and len(data) < _LARGE:
                self._client.put_object(
                    Bucket=self._bucket, Key=name, Body=data, ContentType=_content_type(key)
                )
            else:
                file = BytesIO(data) if isinstance(data, bytes) else data
                self._client.upload_fileobj(
                    file,
                    self._bucket,
                    name,
                    ExtraArgs={"ContentType": _content_type(key)},
                    Config=_TRANSFER,
                )

    def copy(self, source: str, key: str) -> None:
        name, original = self._name(key), self._name(source)
        with self._telling("CopyObject", original):
            self._client.copy(
                {"Bucket": self._bucket, "Key": original}, self._bucket, name, Config=_COPYING
            )

    def open(self, key: str) -> IO[bytes]:
        name = self._name(key)
        file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # the caller closes it
        try:
            with self._telling("GetObject", name):
                _copy_to(file, self._client, {"Bucket": self._bucket, "Key": name}, self._attempts)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def read(self, key: str, limit: int) -> bytes:
        name = self._name(key)
        with self._telling("GetObject", name):
            file = BytesIO()
            place = {"Bucket": self._bucket, "Key": name}
            _copy_to(file, self._client, place, self._attempts, limit)
            return file.getvalue()

    def part(self, key: str, start: int, stop: int) -> bytes:
        return b"".join(self.pieces(key, start, stop))

    def pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        name = self._name(key)
        with self._telling("GetObject", name):
            place = {"Bucket": self._bucket, "Key": name}
            yield from _streamed(self._client, place, start, stop, self._attempts)

    def has(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def size(self, key: str) -> int:
        name = self._name(key)
        with self._telling("HeadObject", name):
            return int(self._client.head_object(Bucket=self._bucket, Key=name)["ContentLength"])

    def address_of(self, key: str, seconds: int) -> str | None:
        """For one key, to read it alone. A file that is not a picture is saved, whatever it
        holds.
        """
        name = self._name(key)
        kind = _content_type(key)
        asked = {"Bucket": self._bucket, "Key": name, "ResponseContentType": kind}
        if not kind.startswith("image/"):
            asked["ResponseContentDisposition"] = "attachment"
        with self._telling("GetObject", name):
            return str(
                self._client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)
            )

    def delete(self, key: str) -> None:
        name = self._name(key)
        with self._telling("DeleteObject", name):
            self._client.delete_object(Bucket=self._bucket, Key=name)

    def keys(self, prefix: str) -> Iterator[str]:
        start = self._name(prefix) if prefix else self._prefix
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{start}/" if start else ""
        )
        with self._telling("ListBucket", start):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield (
                        posixpath.relpath(entry["Key"], self._prefix)
                        if self._prefix
                        else entry["Key"]
                    )

    def sweep(self, older_than_s: float) -> int:
        """Give up uploads in parts that nobody will finish: they take room, and no listing shows
        them.
        """
        swept, before = 0, datetime.now(UTC) - timedelta(seconds=older_than_s)
        with self._telling("ListBucketMultipartUploads", self._prefix):
            begun = _uploads(self._client, self._bucket, self._below, before)
        for upload in begun:
            with (
                self._telling("AbortMultipartUpload", upload["Key"]),
                suppress(self._client.exceptions.NoSuchUpload),
            ):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
                swept += 1
        return swept

    def clock_skew_s(self) -> float:
        with self._telling("HeadBucket", ""):
            answer = self._client.head_bucket(Bucket=self._bucket)
        said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return (
            abs((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()) if said else 0.0
        )

    def _name(self, key: str) -> str:
        name = posixpath.normpath(
            posixpath.join("/", self._prefix, key) if not key.startswith("/") else key
        )[1:]
        if not is_text(key):
            raise BadKey(f"The key {key!r} has characters that no file's name can have.")
        if (
            not name
            or key.startswith("/")
            or ".." in key.split("/")
            or not name.startswith(self._below)
        ):
            raise BadKey(f"The key {key!r} leads out of {self.address}.")
        if len(name.encode()) > _LONGEST_KEY:
            raise BadKey(
                f"The key {key[:77]}... cannot be a file in {self.address}: it has more than"
                f" {_LONGEST_KEY:,} bytes."
            )
        return name

    @contextmanager
    def _telling(self, operation: str, name: str) -> Iterator[None]:
        """Turn what boto3 raises into a sentence with the operation, the place and what to do."""
        try:
            yield
        except ClientError as exc:
            raise self._refusal(operation, name, exc) from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise OutputsError(
                f"{self._what(operation, name)}: there are no AWS keys. Set them where AWS' tools"
                " look for them."
            ) from exc
        except FlexibleChecksumError as exc:
            raise OutputsAway(
                f"{self._what(operation, name)}: the bytes that came are not those that the server"
                " says it sent."
            ) from exc
        except ParamValidationError as exc:
            raise OutputsError(
                f"{self._what(operation, name)}: no bucket or file can be called so: choose"
                " another name."
            ) from exc
        except (BotoCoreError, Boto3Error) as exc:
            raise OutputsAway(
                f"{self._what(operation, name)}: the server does not answer"
                f" ({type(exc).__name__}): check AWS_ENDPOINT_URL_S3 and the network."
            ) from exc

    def _refusal(self, operation: str, name: str, exc: ClientError) -> Exception:
        code, status = _code(exc), _status(exc)
        if code in ("NoSuchKey", "404", "NotFound"):
            return NotFound(f"There is no {name} in {SCHEME}{self._bucket}.")
        what = f"{self._what(operation, name)}: {code or status}"
        if code in _PASSING or status == 429 or (status >= 500 and status != 501):
            trouble = "busy or out of room" if operation in _WRITES else "busy"
            return OutputsAway(
                f"{what}: the server is {trouble}; look at its own logs if that lasts."
            )
        if code == "AccessDenied":
            return OutputsForbidden(
                f"{what}: give these keys {_PERMISSIONS.get(operation, f's3:{operation}')} on the"
                " bucket."
            )
        return OutputsError(f"{what}: {_REMEDIES.get(code, 'look at what the bucket allows.')}")

    def _what(self, operation: str, name: str) -> str:
        return f"{operation} failed on {SCHEME}{self._bucket}/{name}"


def _copy_to(
    file: IO[bytes],
    client: Any,
    place: dict[str, str],
    attempts: int,
    limit: int | None = None,
) -> None:
    """Write a whole object to a file. boto3 asks again for an answer that does not begin; this,
    for one that breaks off in the middle.
    """
    for left in reversed(range(attempts)):
        answer = client.get_object(**place)
        with closing(answer["Body"]) as body:
            if limit is not None:
                refuse_larger(answer["ContentLength"], limit)
            try:
                file.writelines(body.iter_chunks(PIECE))
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                if not left:
                    raise
                file.seek(0)
                file.truncate()
            else:
                return


def _streamed(
    client: Any, place: dict[str, str], start: int, stop: int, attempts: int
) -> Iterator[bytes]:
    """A part of an object. An answer that breaks off is asked for again from there on."""
    for left in reversed(range(attempts)):
        answer = client.get_object(**place, Range=f"bytes={start}-{stop - 1}")
        try:
            with closing(answer["Body"]) as body:
                while data := body.read(PIECE):
                    start += len(data)
                    yield data
            return
        except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
            if not left:
                raise


def _uploads(client: Any, bucket: str, prefix: str, before: datetime) -> list[dict[str, Any]]:
    """The uploads in parts that were begun before that time and never finished."""
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    begun = (upload for page in pages for upload in page.get("Uploads", ()))
    return [upload for upload in begun if upload["Initiated"] < before]


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(exc: ClientError) -> str:
    """What the server calls its refusal; a HEAD has no words, only a status."""
    said = str(exc.response.get("Error", {}).get("Code", ""))
    return _STATUS.get(_status(exc), said) if said.isdecimal() else said


def _content_type(key: str) -> str:
    kinds = {
        "png": "image/png",
        "webp": "image/webp",
        "jpg": "image/jpeg",
        "jxl": "image/jxl",
        "jsonl": "application/x-ndjson",
    }
    return kinds.get(key.rpartition(".")[2], "application/octet-stream")
