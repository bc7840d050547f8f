"""Reading text files that strangers wrote, in the encodings that their programs choose."""

import codecs
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
_TOO_LARGE = f"the file is larger than {MAX_BYTES >> 20} MB."
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class OtherEncoding(ValueError):
    """A file that is text in another encoding than was tried, or no text."""


def read_text(path: Path, encoding: str | None = None) -> str:
    """The text of a file: in `encoding` if it is given, else as its first bytes say, else in
    UTF-8.

    Raises ValueError, as a sentence, if it cannot be read.
    """
    return text_of(_read(path), encoding)


def text_of(data: bytes, encoding: str | None = None) -> str:
    """The text of a file's bytes. Raises as `read_text` does."""
    if len(data) > MAX_BYTES:
        raise ValueError(_TOO_LARGE)
    if data.startswith(b"PK\x03\x04"):
        raise ValueError(
            "the file is a workbook or another archive, not text: save it as CSV in UTF-8."
        )
    chosen = encoding or _encoding_of(data)
    try:
        return data.decode(chosen).removeprefix("\ufeff")
    except LookupError as exc:
        raise ValueError(
            f"there is no encoding {encoding!r}: use utf-8, utf-16, latin-1, cp1252, or another"
            " that Python knows."
        ) from exc
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        if chosen in ("utf-8", "utf-8-sig"):
            told = (
                f"the file is not UTF-8 text (line {line}, byte {exc.start}:"
                f" 0x{data[exc.start]:02X}): save it as UTF-8."
            )
        else:
            told = (
                f"the file is not {chosen} text (line {line}, byte {exc.start}): save it as UTF-8."
            )
        raise OtherEncoding(told) from exc
    except UnicodeError as exc:
        raise OtherEncoding(f"the file is not {chosen} text: save it as UTF-8.") from exc


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(_TOO_LARGE)
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise ValueError("there is no such file.") from exc
    except OSError as exc:
        raise ValueError(f"the file cannot be read ({exc.strerror}).") from exc


def _encoding_of(data: bytes) -> str:
    """What the mark at the beginning says; without one, every other byte of plain UTF-16 text is
    zero.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    if data[:1] and data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\0" and data[1:2] else "utf-8"
