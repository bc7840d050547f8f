"""The looks at the steps of pictures, beside the pictures that they became, with the drift of
each from the picture's anchor.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from actors.pictures.drift import Layout, drift, layout_from, layout_of
from actors.pictures.files import MAX_FILE, Pixels, read
from actors.pictures.reference import MAX_BYTES, read_reference
from farm.results.line import Line
from storage.errors import NotFound, RequestError
from storage.keys import reference_key
from storage.store import Outputs

_STEP = re.compile(r"\.step(\d+)\.webp$")


@dataclass(frozen=True, kw_only=True)
class Look:
    """A picture of one step, or the finished picture; None if its file is missing."""

    step: int | None
    """None for the finished picture."""
    pixels: Pixels | None
    drift: float | None


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A render with its looks in the order of their steps, the finished picture last."""

    number: int
    name: str
    state: str
    looks: tuple[Look, ...]

    @property
    def final(self) -> Look:
        return self.looks[-1]


class Strips:
    """Reads the strips of one campaign. `medians` are those of its sets, by seed; `proofs` the
    keys of approved proofs, by number.
    """

    def __init__(
        self,
        outputs: Outputs,
        project: str,
        medians: Mapping[int, str],
        proofs: Mapping[int, str],
    ) -> None:
        self._outputs = outputs
        self._project = project
        self._medians = medians
        self._proofs = proofs
        self._references: dict[str, Layout | None] = {}

    def read(self, line: Line) -> Strip:
        """The strip of a render, by its line of the manifest."""
        anchor = self._anchor(line)
        looks = [
            self._look(int(found[1]), self._pixels(key), anchor)
            for key in line["previews"]
            if (found := _STEP.search(key))
        ]
        final = self._pixels(line["key"]) if line["key"] else None
        where = ", ".join(str(value) for value in line["coordinates"].values())
        return Strip(
            number=line["number"],
            name=f"#{line['number']} · {where} · seed {line['seed']}",
            state=f"{line['state']}: {line['reason']}",
            looks=(*looks, self._look(None, final, anchor)),
        )

    def _look(self, step: int | None, pixels: Pixels | None, anchor: Layout | None) -> Look:
        apart = None if pixels is None or anchor is None else drift(layout_of(pixels), anchor)
        return Look(step=step, pixels=pixels, drift=apart)

    def _anchor(self, line: Line) -> Layout | None:
        """As `actors.painting.judging` finds it: the reference, the proof, the set's median."""
        if line["reference"] is not None:
            digest = line["reference"]["digest"]
            if digest not in self._references:
                self._references[digest] = self._reference(digest)
            return self._references[digest]
        proof = self._pixels(self._proofs.get(line["number"]))
        if proof is not None:
            return layout_of(proof)
        median = self._medians.get(line["seed"])
        return None if median is None else layout_from(median)

    def _reference(self, digest: str) -> Layout | None:
        try:
            key = reference_key(self._project, digest)
            return layout_of(read_reference(self._outputs.read(key, MAX_BYTES)))
        except (NotFound, RequestError):
            return None

    def _pixels(self, key: str | None) -> Pixels | None:
        try:
            found = read(self._outputs.read(key, MAX_FILE)) if key else None
        except (NotFound, RequestError):
            return None
        return None if found is None else found.pixels
