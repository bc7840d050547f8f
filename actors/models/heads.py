"""The heads of safetensors files: names, shapes and metadata of tensors, and single ones of them
without the others. No torch here.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from storage.errors import RequestError

Shape = tuple[int, ...]

_NUMBERS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
}


@dataclass(frozen=True)
class Head:
    """What stands at the beginning of a safetensors file. Its tensors are read one by one, when
    they are asked for.
    """

    file: Path
    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str]
    _dtypes: Mapping[str, str] = field(repr=False)
    _places: Mapping[str, tuple[int, int]] = field(repr=False)

    def raw(self, name: str) -> bytes:
        """The bytes of one tensor."""
        begin, end = self._places[name]
        with self.file.open("rb") as opened:
            opened.seek(begin)
            return opened.read(end - begin)

    def is_zero(self, name: str) -> bool:
        """Whether every number of a tensor is zero."""
        return not any(self.raw(name))

    def number(self, name: str) -> float:
        """The number in a tensor that holds exactly one. Raises RequestError if it holds anything
        else.
        """
        dtype = _NUMBERS.get(self._dtypes[name])
        values = np.frombuffer(self.raw(name), dtype) if dtype else np.empty(0)
        if values.size != 1:
            raise RequestError(
                f"{name} must be one number, and has the shape {list(self.shapes[name])}"
                f" ({self._dtypes[name]})."
            )
        if self._dtypes[name] == "BF16":  # the upper half of a float32; numpy has no such type
            values = (values.astype("<u4") << 16).view("<f4")
        return float(values[0])


def read_head(file: Path) -> Head:
    """Read a file's head. Raises RequestError if the file is not a whole safetensors file."""
    try:
        with safe_open(
            file, framework="np"
        ):  # checks that sizes, places and the file's length fit together
            pass
        with file.open("rb") as opened:
            (size,) = struct.unpack("<Q", opened.read(8))
            entries = json.loads(opened.read(size))
    except (SafetensorError, OSError) as exc:
        raise RequestError(f"{file} is not a whole safetensors file ({exc}).") from exc
    metadata = entries.pop("__metadata__", {})
    return Head(
        file=file,
        shapes={name: tuple(entry["shape"]) for name, entry in sorted(entries.items())},
        metadata=metadata,
        _dtypes={name: entry["dtype"] for name, entry in entries.items()},
        _places={
            name: (8 + size + entry["data_offsets"][0], 8 + size + entry["data_offsets"][1])
            for name, entry in entries.items()
        },
    )
