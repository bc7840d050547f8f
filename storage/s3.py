"""Outputs in a bucket of S3, or of anything that speaks like it. boto3 is called from here alone.

Endpoint, region and keys come from where AWS' own tools find them (AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_PROFILE, instance roles …);
none is ever shown, logged or stored.
"""

import posixpath
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import IO, Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from storage.errors import NotFound, OutputsAway, OutputsError
from storage.outputs import SCHEME, refuse_larger

_CONNECTIONS = 32  # more than there are threads in any process of the farm
_LARGE = 16 * 1024 * 1024
_TRANSFER = TransferConfig(multipart_threshold=_LARGE, multipart_chunksize=_LARGE, use_threads=False)

# What to do about a refusal that will not pass by itself.
_REMEDIES = {
    "NoSuchBucket": "make the bucket, or name another in FARM_OUTPUTS.",
    "AccessDenied": "give these keys that permission on the bucket.",
    "InvalidAccessKeyId": "check the AWS keys that the farm runs with.",
    "SignatureDoesNotMatch": "check the AWS keys that the farm runs with.",
    "RequestTimeTooSkewed": "set this machine's clock: it is too far from the server's.",
    "PermanentRedirect": "set AWS_REGION to the bucket's own region.",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's own region.",
}
_STATUS = {301: "PermanentRedirect", 403: "AccessDenied"}
# What passes: the server is busy, restarting, or out of room.
_PASSING = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException"})


class S3Outputs:
    """Outputs under a prefix of a bucket. An object can be read only once it is whole: that is how S3 writes."""

    def __init__(self, address: str, *, style: str = "auto") -> None:
        """`address` is like s3://bucket/prefix, `style` how buckets are named in requests: auto, path or virtual.

        Raises OutputsError where the address names no bucket.
        """
        self._bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        if not self._bucket:
            raise OutputsError(f"The outputs {address} name no bucket: write s3://bucket or s3://bucket/prefix.")
        self._prefix = prefix.strip("/")
        self.address = f"{SCHEME}{self._bucket}/{self._prefix}".rstrip("/")
        # One client for all threads of a process. Checksums are sent and looked at wherever the server knows them.
        self._client: Any = boto3.session.Session().client(
            "s3",
            config=Config(
                max_pool_connections=_CONNECTIONS,
                retries={"mode": "adaptive", "total_max_attempts": 6},
                connect_timeout=5,
                read_timeout=60,
                s3={"addressing_style": style},
                user_agent_extra="seedbed",
            ),
        )

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        name = self._name(key)
        with self._telling("PutObject", name):
            if isinstance(data, bytes) and len(data) < _LARGE:
                self._client.put_object(Bucket=self._bucket, Key=name, Body=data, ContentType=_content_type(key))
            else:
                file = BytesIO(data) if isinstance(data, bytes) else data
                self._client.upload_fileobj(file, self._bucket, name, ExtraArgs={"ContentType": _content_type(key)}, Config=_TRANSFER)

    def open(self, key: str) -> IO[bytes]:
        name = self._name(key)
        with self._telling("GetObject", name):
            # Read whole here: a connection that breaks in the middle is this call's failure, and is tried again.
            return BytesIO(self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read())

    def read(self, key: str, limit: int) -> bytes:
        name = self._name(key)
        with self._telling("GetObject", name):
            answer = self._client.get_object(Bucket=self._bucket, Key=name)
            with closing(answer["Body"]) as body:
                refuse_larger(answer["ContentLength"], limit)
                return bytes(body.read())

    def copy(self, source: str, key: str) -> None:
        name, origin = self._name(key), self._name(source)
        with self._telling("CopyObject", origin):
            self._client.copy_object(Bucket=self._bucket, Key=name, CopySource={"Bucket": self._bucket, "Key": origin})

    def delete(self, key: str) -> None:
        name = self._name(key)
        with self._telling("DeleteObject", name):
            self._client.delete_object(Bucket=self._bucket, Key=name)

    def keys(self, prefix: str) -> Iterator[str]:
        start = self._name(prefix) if prefix else self._prefix
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{start}/" if start else "")
        with self._telling("ListBucket", start):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield posixpath.relpath(entry["Key"], self._prefix) if self._prefix else entry["Key"]

    def clock_skew_s(self) -> float:
        with self._telling("HeadBucket", ""):
            answer = self._client.head_bucket(Bucket=self._bucket)
        said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return abs((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()) if said else 0.0

    def _name(self, key: str) -> str:
        name = posixpath.normpath(posixpath.join("/", self._prefix, key) if not key.startswith("/") else key)[1:]
        below = f"{self._prefix}/" if self._prefix else ""
        if "\0" in key or key.startswith("/") or ".." in key.split("/") or not name.startswith(below):
            raise OutputsError(f"The key {key!r} leads out of {self.address}.")
        return name

    @contextmanager
    def _telling(self, operation: str, name: str) -> Iterator[None]:
        """Turn what boto3 raises into a sentence with the operation, the place and what to do."""
        try:
            yield
        except ClientError as exc:
            raise self._refusal(operation, name, exc) from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise OutputsError(f"{self._what(operation, name)}: there are no AWS keys. Set them where AWS' tools look for them.") from exc
        except (BotoCoreError, Boto3Error) as exc:
            raise OutputsAway(
                f"{self._what(operation, name)}: the server does not answer ({type(exc).__name__}): "
                "check AWS_ENDPOINT_URL_S3 and the network."
            ) from exc

    def _refusal(self, operation: str, name: str, exc: ClientError) -> Exception:
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = str(exc.response.get("Error", {}).get("Code", ""))
        code = said if not said.isdecimal() else _STATUS.get(status, said)
        if code in ("NoSuchKey", "404", "NotFound"):
            return NotFound(f"There is no {name} in {SCHEME}{self._bucket}.")
        what = f"{self._what(operation, name)}: {code or status}"
        if code in _PASSING or status >= 500 or status == 429:
            return OutputsAway(f"{what}: the server is busy or out of room; look at its own logs if that lasts.")
        return OutputsError(f"{what}: {_REMEDIES.get(code, 'look at what the bucket allows.')}")

    def _what(self, operation: str, name: str) -> str:
        return f"{operation} failed on {SCHEME}{self._bucket}/{name}"


def _content_type(key: str) -> str:
    kinds = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "jxl": "image/jxl", "jsonl": "application/x-ndjson"}
    return kinds.get(key.rpartition(".")[2], "application/octet-stream")
