"""Who may do what, without a farm."""

import itertools

import pytest

from farm.service.access import LOWEST, OF_THE_FARM, Access, Deed, Role, check, roles_from
from farm.service.secrets import digest_of, id_in, is_same, new_secret
from storage.errors import NotAllowed, NotFound

TABLE = {
    Deed.KNOW: "nobody viewer submitter reviewer operator admin",
    Deed.LOOK: "viewer submitter reviewer operator admin",
    Deed.SUBMIT: "submitter reviewer operator admin",
    Deed.CONTROL: "submitter reviewer operator admin",
    Deed.REVIEW: "reviewer operator admin",
    Deed.SHARE: "reviewer operator admin",
    Deed.OPERATE: "operator admin",
    Deed.SEE_FLEET: "viewer submitter reviewer operator admin",
    Deed.LEARN: "operator admin",
    Deed.REGISTER: "operator admin",
    Deed.ORDER_FLEET: "operator admin",
    Deed.ADMINISTER: "admin",
}


def access(**roles):
    return Access(person="mira", roles={name or "*": Role(role) for name, role in roles.items()})


def everywhere(role):
    return Access(person="mira", roles={"*": role})


def test_the_table_of_roles_and_deeds():
    assert set(TABLE) == set(Deed) == set(LOWEST)
    for deed, roles in TABLE.items():
        may = [role for role in Role if everywhere(role).may(deed)]
        assert may == [role for role in Role if role in roles.split()], deed


def test_a_role_counts_in_its_project_and_nowhere_else():
    mira = access(acme="operator", zen="viewer")
    assert [mira.may(Deed.OPERATE, name) for name in ("acme", "zen", "other", None)] == [
        True, False, False, False,
    ]  # fmt: skip
    assert mira.projects(Deed.LOOK) == {"acme", "zen"}
    assert mira.projects(Deed.REVIEW) == {"acme"}
    assert not any(mira.may(deed, name) for deed in OF_THE_FARM for name in ("acme", None))


def test_the_higher_of_two_roles_counts():
    mira = Access(person="mira", roles={"*": Role.REVIEWER, "acme": Role.VIEWER})
    assert mira.may(Deed.REVIEW, "acme")
    assert mira.projects(Deed.REVIEW) is None
    assert mira.projects(Deed.OPERATE) == frozenset()


def test_an_admin_of_one_project_is_no_admin_of_the_farm():
    mira = access(acme="admin")
    assert not mira.is_admin
    assert not mira.may(Deed.ADMINISTER, "acme")


def test_refusals_say_what_is_missing_and_nothing_of_projects_of_others():
    mira = access(acme="viewer")
    check(mira, Deed.LOOK, "acme")
    with pytest.raises(NotAllowed, match="project acme: it needs the role reviewer, and theirs"):
        check(mira, Deed.REVIEW, "acme")
    with pytest.raises(NotAllowed, match="the role operator in all projects"):
        check(mira, Deed.ORDER_FLEET, "acme")
    with pytest.raises(NotFound) as other:
        check(mira, Deed.LOOK, "zen")
    with pytest.raises(NotFound) as missing:
        check(mira, Deed.OPERATE, "nil")
    assert str(other.value).replace("zen", "nil") == str(missing.value)


def test_roles_of_a_later_version_count_for_nothing():
    assert roles_from({"acme": "owner", "zen": "viewer"}) == {"zen": Role.VIEWER}


def test_a_secret_is_found_by_its_id_and_known_by_its_digest():
    made = [new_secret() for _ in range(50)]
    assert len({secret.id for secret in made} | {secret.text for secret in made}) == 100
    for secret in made:
        assert id_in(secret.text) == secret.id
        assert is_same(secret.text, secret.digest)
        assert secret.text not in repr(secret)
    for one, other in itertools.pairwise(made):
        assert not is_same(one.text, other.digest)


@pytest.mark.parametrize(
    "text", ["", "x", "seedbed_", "seedbed_abcdefghij_short", "\udc80", "é" * 99, "a\x00b"]
)
def test_what_is_no_token_has_no_id_and_is_compared_all_the_same(text):
    assert id_in(text) is None
    assert not is_same(text, digest_of("other"))


def test_a_token_with_something_after_it_is_none():
    text = new_secret().text
    for wrong in (text + "\n", text + "x", " " + text, text[:-1], text.upper()):
        assert id_in(wrong) is None
