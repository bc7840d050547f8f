"""Takes secrets out of texts that people may read, such as lines of logs."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

HIDDEN = "********"
SHORTEST = 6
"""Characters of a known secret: a shorter one would hide ordinary words."""

_WORDS = "token|secret|password|passwd|access_key|api_key"
_NAMES = re.compile(_WORDS, re.IGNORECASE)
_QUOTES = r"[\"']?"
_PATTERNS = (
    # Authorization: Bearer …, as a header, in a mapping, or alone
    (re.compile(rf"(authorization{_QUOTES}\s*[:=]\s*{_QUOTES})[^\"'\r\n]+", re.IGNORECASE), 1),
    (re.compile(r"\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), 1),
    # passwords in addresses
    (re.compile(r"(://[^\s:/@]*:)[^\s@]+(?=@)"), 1),
    # signed addresses, and parameters of connections
    (
        re.compile(
            r"([?&](?:x-amz-[a-z-]+|signature|sig|awsaccesskeyid|token|key|password|sslpassword)=)"
            r"[^&\s\"'<>]+",
            re.IGNORECASE,
        ),
        1,
    ),
    (re.compile(r"\b()(?:AKIA|ASIA)[A-Z0-9]{16}\b"), 1),
    # settings, like a password or an access key
    (
        re.compile(
            rf"\b(\w*(?:{_WORDS})(?![a-z])\w*{_QUOTES}\s*[=:]\s*{_QUOTES})"
            r"(?!\*)[^\s\"',;&)}]+",
            re.IGNORECASE,
        ),
        1,
    ),
)


class Redaction:
    """Hides what looks like a secret, and every secret that is known."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        words = {form for word in known if len(word) >= SHORTEST for form in (word, quote(word))}
        longest_first = sorted(words, key=len, reverse=True)
        self._known = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, kept in _PATTERNS:
            text = pattern.sub(rf"\g<{kept}>{HIDDEN}", text)
        return text


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """The values of an environment whose names say that they are secrets, and the passwords in its
    addresses.
    """
    named = {
        value
        for name, value in environment.items()
        if _NAMES.search(name) and not name.upper().endswith(("_PATH", "_FILE"))
    }
    passwords = (password_in(value) for value in environment.values())
    return named | {password for password in passwords if password}


def password_in(address: str) -> str | None:
    """The password of an address like scheme://user:password@host."""
    found = re.search(r"://[^\s:/@]*:([^\s@]+)@", address)
    return found[1] if found else None
