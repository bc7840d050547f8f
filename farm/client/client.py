"""The Python client: what the commands use, and what a pipeline may use. It speaks to the HTTP API
and to nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote as quote_text

from farm.client.access_calls import AccessCalls
from farm.client.asking import Source
from farm.client.brand_calls import BrandCalls
from farm.client.campaign import CampaignHandle
from farm.client.cost_calls import CostCalls
from farm.client.diff_calls import DiffCalls
from farm.client.event_calls import EventCalls
from farm.client.fleet_calls import FleetCalls
from farm.client.link_calls import LinkCalls
from farm.client.list_calls import ListCalls
from farm.client.notification_calls import NotificationCalls
from farm.client.operation_calls import OperationCalls
from farm.client.registry_calls import RegistryCalls
from farm.client.review_calls import ReviewCalls
from farm.client.sheet_calls import SheetCalls
from farm.client.step_calls import StepCalls
from farm.client.transport import Transport
from farm.client.uploading import UploadCalls
from farm.client.webhook_calls import WebhookCalls
from farm.results.line import Line
from farm.results.versions import only_present, split_version
from farm.service.views import (
    CampaignStatus,
    CampaignVersion,
    Checked,
    Cleaned,
    Explanation,
    Health,
    Plan,
    Pruned,
    PutBackPage,
    RepairStarted,
    Retried,
    RuleCounts,
    SavedManifest,
    Submitted,
    Warned,
    WrongRepaint,
)

Json = dict[str, Any]
Answer = TypeVar("Answer", bound=Checked)
T = TypeVar("T")
quote = partial(quote_text, errors="surrogatepass")  # the farm refuses a name that is not text


class Client(
    OperationCalls,
    FleetCalls,
    BrandCalls,
    CostCalls,
    ListCalls,
    ReviewCalls,
    SheetCalls,
    StepCalls,
    DiffCalls,
    EventCalls,
    AccessCalls,
    LinkCalls,
    UploadCalls,
    WebhookCalls,
    NotificationCalls,
    RegistryCalls,
):
    """A farm, from afar.

        with Client("http://127.0.0.1:8600") as farm:
            farm.submit("campaign.yaml")
            print(farm.status("spring-launch").renders.done)

    Answers are frozen values, described in farm.service.views. Every call raises RequestError for
    what the farm refuses, NotFound for names it does not know, and WorkError if it cannot be
    reached.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8600",
        *,
        project: str = "default",
        token: str | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        """`token` is what the farm asks for, if it does."""
        self.url = url.rstrip("/")
        self.project = project
        self._token = token
        self._http = Transport(self.url, token=token, timeout_s=timeout_s)

    def of(self, project: str) -> "Client":
        """A client of the same farm for another project."""
        return Client(self.url, project=project, token=self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> Health:
        """Which farm answers. It is asked once: whether one does is the question."""
        return self._http.read(Health, self._http.request("GET", "health", tries=1))

    def submit(self, campaign: Source, *, update: bool = False, fresh: bool = False) -> Submitted:
        """Submit a campaign: the path of a file, the text of one, or a mapping of its keys. Doing
        it twice does it once. With `update`,
        another version takes the place of the one that was submitted before; with `fresh`, all of
        it is painted, even if the project has the pictures already. `warnings` in the answer names
        parts that may not be meant.

        Raises DocumentError, with the file's lines, if the file is wrong.
        """
        return self._submit(Submitted, campaign, {"update": update, "fresh": fresh})

    def campaign(self, name: str) -> CampaignHandle:
        """A campaign as an object: it can be waited for, read, and decided about. Nothing is asked
        yet.
        """
        return CampaignHandle(self, name)

    def plan(self, campaign: Source, *, update: bool = False, fresh: bool = False) -> Plan:
        """Say what `submit` would do with the same arguments, and change nothing. Raises as it
        does.
        """
        how = {"dry_run": True, "update": update, "fresh": fresh}
        return self._submit(Plan, campaign, how)

    def _submit(self, view: type[Answer], campaign: Source, how: Mapping[str, bool]) -> Answer:
        answer, found = self._ask(view, "campaigns", campaign, how)
        own = [Warned(path=list(problem.path), message=problem.message) for problem in found]
        return answer.model_copy(update={"warnings": [*own, *answer.warnings]})

    def status(self, name: str) -> CampaignStatus:
        name, params = self._version(name)
        return self._http.get(CampaignStatus, _path(name), params)

    def pause(self, name: str) -> CampaignStatus:
        """Start nothing more of it; chunks under way are finished."""
        return self._order(CampaignStatus, name, "pause")

    def resume(self, name: str) -> CampaignStatus:
        """Let it go on, whether it was paused or stopped itself."""
        return self._order(CampaignStatus, name, "resume")

    def cancel(self, name: str) -> CampaignStatus:
        """Want nothing of it any more; renders that are done stay done."""
        return self._order(CampaignStatus, name, "cancel")

    def set_priority(self, name: str, priority: int) -> CampaignStatus:
        return self._order(CampaignStatus, name, "priority", {"priority": priority})

    def retry(
        self, name: str, *, failed: bool = True, held: bool = True, render: int | None = None
    ) -> Retried:
        """Try what failed or is held again, or one render of these; `retried` in the answer counts
        them, `why` says why there are none.
        """
        body = {"failed": failed, "held": held, "render": render}
        return self._order(Retried, name, "retry", body)

    def why(self, name: str, render: int | None = None) -> list[str]:
        """Why a campaign, or one of its renders, is where it is: sentences."""
        params = {"project": self.project} | ({} if render is None else {"render": str(render)})
        return self._http.get(Explanation, _path(name, "why"), params).why

    def prune(
        self,
        older_than_s: float | None = None,
        *,
        names: Sequence[str] = (),
        all_projects: bool = False,
        over_before: float | None = None,
        dry_run: bool = False,
        with_pictures: bool = False,
    ) -> Pruned:
        """Forget campaigns of the project that have been over for so long, or those named;
        `with_pictures` deletes their pictures. `over_before` is a time in the place of
        `older_than_s`. The answer has `campaigns`, those `spared` and why, how many were `pruned`,
        and of files how many were `files_removed` and `files_left`. A call without names and age
        finishes what an earlier one has begun.
        """
        project = None if all_projects else self.project
        rest: Json = {"project": project, "dry_run": dry_run, "with_pictures": with_pictures}
        asked = {"names": list(names), "older_than_s": older_than_s, "over_before": over_before}
        answer = self._http.post(Pruned, "prune", rest | asked)
        while answer.more:
            answer = _added(answer, self._http.post(Pruned, "prune", rest))
        return answer

    def _order(self, view: type[T], name: str, verb: str, body: Json | None = None) -> T:
        return self._http.post(view, _path(name, verb), body, params={"project": self.project})

    def manifest(
        self, name: str, *, stage: str = "final", failed_rule: str | None = None
    ) -> Iterator[Line]:
        """A line for each render that has ended, or for each `proof`, in the order of the
        expansion; with `failed_rule`, for each whose picture fails that rule of its brand.
        """
        name, params = self._version(name)
        chosen = {"stage": stage} | ({} if failed_rule is None else {"failed_rule": failed_rule})
        return self._http.lines(_path(name, "manifest"), params | chosen)

    def rules(self, name: str) -> RuleCounts:
        """How many pictures fail each rule of their brand, in all and by the values of axes."""
        name, params = self._version(name)
        return self._http.get(RuleCounts, _path(name, "rules"), params)

    def render(self, name: str, number: int, *, stage: str = "final") -> Line:
        """The manifest's line of one render, or of its `proof`."""
        name, params = self._version(name)
        path = _path(name, f"renders/{number}")
        return self._http.get(Line, path, params | {"stage": stage})

    def files(self, name: str) -> Iterator[str]:
        """The key of every file that the outputs have of a campaign, of all its versions."""
        return self._http.lines(_path(name, "files"), {"project": self.project})

    def repaint(self, name: str, numbers: Sequence[int]) -> CampaignStatus:
        """Have some renders painted again, in a campaign of their own: the answer names it and its
        project.
        """
        return self._order(CampaignStatus, name, "repaint", {"numbers": list(numbers)})

    def repair(self, name: str, numbers: Sequence[int]) -> RepairStarted:
        """Have renders painted again whose files are damaged or missing, in a campaign that the
        answer names. `created` is False if it is an earlier repair that goes on, with the renders
        that were given then. Once it is over, call `put_back`.
        """
        return self._order(RepairStarted, name, "repair", {"numbers": list(numbers)})

    def put_back(self, name: str) -> PutBackPage:
        """Put the files of a repair in their places: `repaired` has the numbers of the renders,
        `wrong` the number and the problem of those that came out with other pixels than were
        recorded.
        """
        repaired: list[int] = []
        wrong: list[WrongRepaint] = []
        after: int | None = -1
        while after is not None:
            page = self._order(PutBackPage, name, "repair/put-back", {"after": after})
            repaired += page.repaired
            wrong += page.wrong
            after = page.last
        return PutBackPage(repaired=repaired, wrong=wrong, last=None)

    def clean(self, name: str, *, dry_run: bool = False) -> Cleaned:
        """Remove pictures and previews that no render has any more; with `dry_run` only count
        them, and name the first.
        """
        return self._order(Cleaned, name, "clean", {"dry_run": dry_run})

    def save_manifest(self, name: str, *, stage: str = "final") -> str:
        """Have the farm write the manifest beside the pictures; returns its address."""
        params = {"project": self.project, "stage": stage}
        return self._http.post(SavedManifest, _path(name, "manifest"), params=params).manifest

    def versions(self, name: str) -> list[CampaignVersion]:
        """The versions that can be read, the oldest first; `status`, `manifest`, `render`, `sheet`
        and `diff` take NAME@NUMBER.
        """
        params = {"project": self.project}
        return self._http.get(list[CampaignVersion], _path(name, "versions"), params)

    def _version(self, name: str) -> tuple[str, dict[str, str]]:
        """The name and the parameters of something that may be asked of a version."""
        name, number = split_version(name)
        return name, {"project": self.project} | (
            {} if number is None else {"version": str(number)}
        )

    def output(self, key: str) -> bytes:
        """The bytes of one file of the outputs."""
        return self._http.request("GET", f"outputs/{quote(key)}").content


def _added(answer: Pruned, later: Pruned) -> Pruned:
    """The answers to a pruning that took several requests, as one."""
    left = (
        None
        if answer.files_left is None or later.files_left is None
        else answer.files_left + later.files_left
    )
    return answer.model_copy(
        update={
            "pruned": answer.pruned + later.pruned,
            "files_removed": answer.files_removed + later.files_removed,
            "files_left": left,
            "more": later.more,
        }
    )


def _path(name: str, what: str = "") -> str:
    """Of something about a campaign. Raises RequestError if a version of it is named."""
    path = f"campaigns/{quote(only_present(name), safe='')}"
    return f"{path}/{what}" if what else path
