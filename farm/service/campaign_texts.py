"""Campaigns as texts that came over the network: read, checked and submitted, with the line of
everything that is wrong.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from farm.campaign.loading import CampaignFile, campaign_from_text
from farm.documents.document import Document, DocumentError, Problem
from farm.service.estimate import Estimates
from farm.service.submission import Submissions
from farm.service.uploads import UploadService
from storage.errors import RequestError
from storage.rows import CampaignRow

Json = dict[str, Any]
SOURCE = "campaign.yaml"
"""The text's name in sentences."""


def campaign_data(text: str, tables: Mapping[str, str]) -> Json:
    """A campaign from its text, as programs send it. Raises DocumentError with lines."""
    return campaign_from_text(text, tables, SOURCE).campaign.model_dump(mode="json")


class CampaignTexts:
    """Reads campaigns as people write them."""

    def __init__(
        self, estimates: Estimates, submissions: Submissions, uploads: UploadService
    ) -> None:
        self._uploads = uploads
        self._estimates = estimates
        self._submissions = submissions

    def check(
        self, project: str, text: str, tables: Mapping[str, str], *, update: bool = False
    ) -> Json:
        """What submitting a text would do, or what is wrong with it, each with its line. A text
        that cannot be submitted is an answer too, and no error.
        """
        try:
            file = self._read(project, text, tables)
        except DocumentError as exc:
            return _refused(exc, exc.document)
        data = file.campaign.model_dump(mode="json")
        try:
            plan = self._estimates.plan(data, project, update=update)
        except DocumentError as exc:
            return _refused(exc, file.document)
        except RequestError as exc:
            return _refused(DocumentError([Problem((), str(exc))]), file.document)
        told = [
            *file.warnings,
            *(Problem(tuple(w["path"]), w["message"]) for w in plan["warnings"]),
        ]
        return {
            "problems": [],
            "warnings": [_placed(problem, file.document) for problem in told],
            "plan": plan,
        }

    def submit(
        self, project: str, text: str, tables: Mapping[str, str], *, update: bool = False
    ) -> tuple[CampaignRow, Json]:
        """Submit a text. Raises DocumentError with the lines of what is wrong."""
        file = self._read(project, text, tables)
        data = file.campaign.model_dump(mode="json")
        try:
            return self._submissions.submit(project, data, update=update)
        except DocumentError as exc:
            raise DocumentError(exc.problems, file.document, most=exc.most) from exc

    def _read(self, project: str, text: str, tables: Mapping[str, str]) -> CampaignFile:
        return campaign_from_text(text, tables, SOURCE, partial(self._uploads.table, project))


def _refused(error: DocumentError, document: Document | None) -> Json:
    some = error.problems[: error.most]
    return {
        "problems": [_placed(problem, document) for problem in some],
        "warnings": [],
        "plan": None,
    }


def _placed(problem: Problem, document: Document | None) -> Json:
    """A problem with its line in the text, and for a row of a CSV file the place there."""
    return {
        "place": problem.place,
        "message": problem.message,
        "line": None if document is None else document.line_of(problem.path),
        "row": None if document is None else document.row_of(problem.path),
    }
