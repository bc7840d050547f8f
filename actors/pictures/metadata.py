"""How a picture was made, in the places that formats other than PNG have for it: EXIF for what
people's tools read, XMP for the record.
"""

import hashlib
import html
import json
import re
import struct
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from PIL import ExifTags, Image

from actors.recipes.recipe import Json

# characters: twice two bytes each still fit into a JPEG's segment, as nothing in it may be longer
MAX_COMMENT = 15_000
MAX_RECORD = (
    2 * 1024 * 1024
)  # bytes of JSON: four times what the longest prompts take, little enough for whoever parses it

_SEGMENT = 65_000
_STANDARD, _EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta'
    ' xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' {}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
_RECORD = 'xmlns:seedbed="urn:seedbed:xmp/"><seedbed:record>{}</seedbed:record></rdf:Description>'
_ELSEWHERE = 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{}"/>'
_FOUND = re.compile(rb"<seedbed:record>([^<]*)</seedbed:record>")


def exif(parameters: str) -> Image.Exif:
    """The `parameters` text as EXIF's UserComment, which is where picture browsers look for it in
    files that are not PNG.
    """
    block = Image.Exif()
    block.endian = ">"  # readers take the comment for UTF-16 of the block's own order
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + _shortened(
        parameters
    ).encode("utf-16-be")
    return block


def _shortened(parameters: str) -> str:
    """The text as far as it fits. Its last line, which has the settings, stays whole at the cost
    of the prompts before it.
    """
    before, _, last = parameters.rpartition("\n")
    if len(parameters) <= MAX_COMMENT or len(last) >= MAX_COMMENT:
        return parameters[:MAX_COMMENT]
    return f"{before[: MAX_COMMENT - len(last) - 1]}\n{last}"


def xmp(record: Json) -> bytes:
    """The record as an XMP packet. All of it is ASCII, so that no character could be one that XML
    forbids.
    """
    return _PACKET.format(
        _RECORD.format(escape(json.dumps(record, sort_keys=True, separators=(",", ":"))))
    ).encode()


def record_in(packet: bytes) -> str | None:
    """The record's JSON as it stands in an XMP packet."""
    found = _FOUND.search(packet)
    return (
        None
        if found is None or len(found[1]) > 2 * MAX_RECORD
        else html.unescape(found[1].decode("ascii", "replace"))
    )


def parse_record(text: str | None) -> Json | None:
    """A record from its JSON; None if the text is not one."""
    if text is None or len(text) > MAX_RECORD:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def jpeg_segments(packet: bytes) -> bytes:
    """An XMP packet as segments of a JPEG: one, or if it is too long, a stub that names those
    it is spread over.
    """
    if len(packet) <= _SEGMENT:
        return _app1(_STANDARD + packet)
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    parts = (
        _app1(
            _EXTENSION
            + name.encode()
            + struct.pack(">II", len(packet), start)
            + packet[start : start + _SEGMENT]
        )
        for start in range(0, len(packet), _SEGMENT)
    )
    return b"".join((_app1(_STANDARD + _PACKET.format(_ELSEWHERE.format(name)).encode()), *parts))


def jpeg_packet(segments: Iterable[tuple[str, bytes]]) -> bytes:
    """The XMP of a JPEG, put together from its segments as Pillow lists them."""
    return b"".join(_packet_parts(segments))


def _packet_parts(segments: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    for kind, content in segments:
        if kind == "APP1" and content.startswith(_STANDARD):
            yield content[len(_STANDARD) :]
        elif kind == "APP1" and content.startswith(_EXTENSION):
            yield content[len(_EXTENSION) + 40 :]


def _app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
