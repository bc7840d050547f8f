"""What a link admits to, request by request."""

import pytest
from fastapi import Request

from farm.api.needs import Need, admit
from farm.service.access import Access, CampaignLink, Deed, Role
from storage.errors import NotAllowed

LINK = CampaignLink(id="abc", project="acme", campaign="spring")
LOOKER = Access(person="link:anna", roles={"acme": Role.VIEWER}, link=LINK)


def through_link(need, projects, **path):
    scope = {"type": "http", "headers": [], "path_params": path, "state": {"access": LOOKER}}
    admit(Request(scope), need, projects)


def test_a_link_is_admitted_to_the_routes_of_its_campaign_alone():
    look = Need(deed=Deed.LOOK, in_links=True)
    through_link(look, ["acme"], name="spring")
    through_link(Need(deed=Deed.KNOW, in_links=True), [None])
    refused = [
        (look, ["acme"], "autumn"),
        (look, ["other"], "spring"),
        (look, ["acme", "other"], "spring"),
        (look, [None], "spring"),
        (look, [], "spring"),
        (Need(deed=Deed.LOOK), ["acme"], "spring"),
        (Need(deed=Deed.LOOK, across=True), [], None),
        (Need(deed=Deed.KNOW), [None], None),
        (Need(deed=Deed.REVIEW, in_links=True), ["acme"], "spring"),
    ]
    for need, projects, name in refused:
        with pytest.raises(NotAllowed):
            through_link(need, projects, **({} if name is None else {"name": name}))
