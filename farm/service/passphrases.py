"""Hashes of passphrases by scrypt: a stolen database does not tell the words."""

import hashlib
import hmac
import secrets

_COST, _BLOCK, _LANES = 2**14, 8, 5
"""As OWASP advises for scrypt: 16 MiB of memory and some 0.2 s for each try."""
_KIND = "scrypt"


def kept(passphrase: str) -> str:
    """The text to keep: the function, its costs, a salt of 16 bytes and the hash, in hex."""
    salt = secrets.token_bytes(16)
    found = _hash(passphrase, salt, _COST, _BLOCK, _LANES)
    return f"{_KIND}${_COST}${_BLOCK}${_LANES}${salt.hex()}${found.hex()}"


def fits(passphrase: str, text: str) -> bool:
    """Whether a passphrase is the one that a text was kept of."""
    _, cost, block, lanes, salt, known = text.split("$")
    found = _hash(passphrase, bytes.fromhex(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, bytes.fromhex(known))


def _hash(passphrase: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    words = passphrase.encode(errors="surrogatepass")
    return hashlib.scrypt(words, salt=salt, n=cost, r=block, p=lanes, maxmem=2**26, dklen=32)
