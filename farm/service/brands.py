"""Brand packs: added, read, and found for the campaigns that name them."""

from collections.abc import Collection, Mapping
from typing import Any

from farm.campaign.brand import Brand, Pack, parse_pack, version_named
from farm.documents.document import DocumentError, Problem
from storage.brands import BrandRow, Brands
from storage.errors import NotFound

Json = dict[str, Any]


class BrandService:
    """The brand packs of a farm's projects."""

    def __init__(self, brands: Brands) -> None:
        self._brands = brands

    def add(self, project: str, document: Json) -> Json:
        """Store a pack; the answer says what that did."""
        pack = parse_pack(document)
        row, did = self._brands.add(project, pack.name, pack.digest, pack.document)
        return {**brand_json(row), "did": did}

    def all(self, project: str) -> list[Json]:
        return [brand_json(row) for row in self._brands.all(project)]

    def everywhere(self, projects: Collection[str] | None) -> list[Json]:
        """All versions of the packs of some projects, or with None of all, with their colours."""
        return [
            {
                **brand_json(row),
                "project": row.project,
                "colors": row.document.get("palette", {}).get("colors", []),
            }
            for row in self._brands.everywhere(projects)
        ]

    def show(self, project: str, name: str, version: int | None) -> Json:
        row = self._brands.get(project, name, version)
        return {**brand_json(row), "pack": row.document}

    def brand_of(self, project: str, named: object) -> Brand | None:
        """The version that a campaign's `brand` names, or that its pack has or would have. Raises
        DocumentError if it cannot be used.
        """
        if isinstance(named, str) and (found := version_named(named)) is not None:
            try:
                return _brand(self._brands.get(project, *found))
            except NotFound as exc:
                raise DocumentError([Problem(("brand",), str(exc))]) from exc
        if isinstance(named, Mapping):
            return self._brand_in(project, _pack_in(named))
        return None  # the campaign's own checks say what is wrong with anything else

    def keep(self, project: str, brand: Brand) -> Brand:
        """Freeze the version that a campaign is submitted with; a pack that came with the campaign
        is stored first.
        """
        row, _ = self._brands.add(project, brand.name, brand.digest, brand.pack)
        self._brands.freeze(project, row.name, row.version, row.digest)
        return _brand(row)

    def _brand_in(self, project: str, pack: Pack) -> Brand:
        versions = [row for row in self._brands.all(project) if row.name == pack.name]
        for row in versions:
            if row.digest == pack.digest:
                return _brand(row)
        last = versions[-1] if versions else None
        is_free = last is not None and last.frozen_at is None
        version = (last.version if last else 0) + (0 if is_free else 1)
        return Brand(name=pack.name, version=version, digest=pack.digest, pack=pack.document)


def brand_json(row: BrandRow) -> Json:
    """A version of a pack without its contents, as the API shows it."""
    return {
        "brand": f"{row.name}@{row.version}",
        "name": row.name,
        "version": row.version,
        "digest": row.digest,
        "added_at": row.added_at,
        "frozen_at": row.frozen_at,
    }


def _brand(row: BrandRow) -> Brand:
    return Brand(name=row.name, version=row.version, digest=row.digest, pack=row.document)


def _pack_in(document: Mapping[str, Any]) -> Pack:
    try:
        return parse_pack(document)
    except DocumentError as exc:
        within = [Problem(("brand", *problem.path), problem.message) for problem in exc.problems]
        raise DocumentError(within) from None
