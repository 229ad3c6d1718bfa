# SPDX-License-Identifier: GPL-3.0-or-later
"""What logs and records must not tell: keys and passwords, left out of addresses, texts and command lines.

Every request is logged, so that nothing is imported here that a small program would not import anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["masked_command", "masked_pairs", "secrets_in", "secrets_of", "without", "without_secrets"]

#: Parameters whose values are never written, in lower case.
SECRET: Final = frozenset(
    (
        *("access_token", "api_key", "apikey", "auth", "authorization", "credentials", "key", "passphrase", "passwd"),
        *("password", "pw", "secret", "sig", "signature", "ticket", "token", "user_password"),
    )
)
#: A shorter secret is not looked for in texts, where it may stand for anything; of a longer one, so much is enough.
_SHORTEST: Final = 4
_SAME: Final = 24


def without_secrets(target: str) -> str:
    """Path and query without the values of keys and passwords, and without a name and password before the host."""
    path, mark, query = target.partition("?")
    scheme, colons, rest = path.partition("://")
    if colons and "@" in rest.partition("/")[0]:
        path = f"{scheme}://...@{rest.partition('@')[2]}"
    pieces = query.replace(";", "&;").split("&")
    return path + mark + "&".join(map(_harmless, pieces)).replace("&;", ";")


def _harmless(pair: str) -> str:
    """A parameter as it was sent, without the value of a secret one."""
    name, equals, value = pair.partition("=")
    if not equals:
        return "..." if _holds_secret(name) else pair
    return f"{name}=..." if _is_secret(name) or _holds_secret(value) else pair


def _is_secret(name: str) -> bool:
    """Whether a parameter is never written: `read.token` is `token` as its source calls it."""
    return _decoded(name).strip(" ;-").lower().rpartition(".")[2] in SECRET


def _holds_secret(value: str) -> bool:
    """Whether a value has settings in it, as that of the das2 `params` has, and one of them is secret."""
    words = _decoded(value).replace("&", " ").split()
    return any(_is_secret(word.partition("=")[0]) for word in words if "=" in word)


def secrets_of(target: str) -> list[str]:
    """The secret values of an address, decoded, the longest first, without those that are too short to look for."""
    pairs = (each.partition("=") for each in target.partition("?")[2].replace(";", "&").split("&"))
    found = [value for name, _equals, value in pairs if _is_secret(name) or _holds_secret(value)]
    if not found:
        return []
    from urllib.parse import unquote_plus

    return _worth_looking_for(map(unquote_plus, found))


def secrets_in(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The secret values among parameters, the longest first, without those that are too short to look for."""
    return _worth_looking_for(value for name, value in pairs if _is_secret(name) or _holds_secret(value))


def _worth_looking_for(values: Iterable[str]) -> list[str]:
    """Values without those that may stand for anything, the longest first."""
    return sorted({text for text in values if len(text) >= _SHORTEST}, key=len, reverse=True)


def masked_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Parameters without the values of those that are secret.

    >>> masked_pairs([("read.token", "abc"), ("read.gain", "3")])
    (('read.token', '...'), ('read.gain', '3'))
    """
    return tuple((name, "..." if _is_secret(name) or _holds_secret(value) else value) for name, value in pairs)


def masked_command(argv: Sequence[str], secrets: Sequence[str] = ()) -> tuple[str, ...]:
    """The arguments of a program without secrets: those named here, and what an option for one has.

    >>> masked_command(["read", "--token=abc", "--password", "x", "--gain", "3", "key=hidden"], ["hidden"])
    ('read', '--token=...', '--password', '...', '--gain', '3', 'key=...')
    """
    masked: list[str] = []
    hides = False
    for each in argv:
        name, equals, _value = each.partition("=")
        if hides and not each.startswith("--"):
            masked.append("...")
            hides = False
            continue
        hides = each.startswith("-") and not equals and _is_secret(each)
        if _holds_secret(each):
            masked.append(f"{name}=..." if _is_secret(name) else "...")
        else:
            masked.append(without(secrets, each))
    return tuple(masked)


def without(secrets: Sequence[str], text: str) -> str:
    """A text without secrets, which errors quote, and cut where they are long."""
    if secrets:
        import re

        for each in (form for secret in secrets for form in (secret, repr(secret)[1:-1])):
            rest = r"[^'\"]*" if len(each) > _SAME else ""
            text = re.sub(re.escape(each[:_SAME]) + rest, "...", text)
    return text


def _decoded(name: str) -> str:
    """The name of a parameter without its percent-encoding."""
    first, *rest = name.replace("+", " ").split("%")
    for each in rest:
        code = each[:2]
        ready = len(code) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in code)
        first += chr(int(code, 16)) + each[2:] if ready else "%" + each
    return first
