# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail about sources that fail: one to each technical contact, with all that is his, sent or written to files."""

from __future__ import annotations

import html
import re
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["Failure", "Letters", "addresses_of", "send", "write"]

_PATIENCE: Final = 30.0
#: The lines of one source that a mail has.
_LINES: Final = 20
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that fails: its id and title, the technical contact as the definition writes it, and what is wrong."""

    id: str
    title: str
    contact: str
    lines: tuple[str, ...]


def addresses_of(contact: str) -> list[str]:
    """The addresses of contacts such as `Name <address>, Name <address>`, each once."""
    found = [address for _name, address in getaddresses([html.unescape(contact)]) if _ADDRESS.fullmatch(address)]
    return list({each.lower(): each for each in found}.values())


@dataclass(frozen=True, slots=True)
class Letters:
    """Whose mails these are: the server's name, its address, the sender, and who is written to where nobody else is."""

    name: str
    server: str
    sender: str
    otherwise: str = ""

    @classmethod
    def of(cls, config: Config, server: str = "") -> Letters:
        """The letters of a site, about its own sources or those of another server."""
        host = urlsplit(config.server_url).hostname or "localhost"
        sender = config.mail_from or f"dasflex@{host}"
        if not addresses_of(sender):
            raise ConfigError(f"{config.file}: MAIL_FROM: {sender!r} is no address", kind="config.bad-value")
        return cls(config.server_name, server or config.server_url, sender, config.contact_email)

    def to_all(self, failures: Iterable[Failure]) -> tuple[list[EmailMessage], list[Failure]]:
        """One mail for each contact; and the failures for which nobody can be written to."""
        by_contact: dict[str, tuple[str, list[Failure]]] = {}
        alone: list[Failure] = []
        for failure in failures:
            addresses = addresses_of(failure.contact) or addresses_of(self.otherwise)
            for address in addresses:
                by_contact.setdefault(address.lower(), (address, []))[1].append(failure)
            if not addresses:
                alone.append(failure)
        return [self._to(address, own) for address, own in by_contact.values()], alone

    def _to(self, address: str, failures: Sequence[Failure]) -> EmailMessage:
        """The mail to one contact."""
        count = len(failures)
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = address
        what = f"{failures[0].id} fails" if count == 1 else f"{count} sources fail"
        message["Subject"] = " ".join(f"{self.name}: {what}".split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=addresses_of(self.sender)[0].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join(self._text(failures)) + "\n")
        return message

    def _text(self, failures: Sequence[Failure]) -> Iterator[str]:
        """What a mail says."""
        yield f"The examples of these sources of {self.server} were tried, and something is wrong with them."
        yield "You are their technical contact."
        for failure in failures:
            yield ""
            yield f"{failure.id}  {' '.join(failure.title.split())}".rstrip()
            yield from (f"  {line}" for line in failure.lines[:_LINES])
            if len(failure.lines) > _LINES:
                yield f"  and {len(failure.lines) - _LINES:,} more"


def send(messages: Sequence[EmailMessage], host: str) -> list[str]:
    """Sends mails by an SMTP server, and gives what is to be said of those that it did not take.

    Raises `ConfigError` where `host` is none.
    """
    import smtplib

    name, port = _host(host)
    failed: list[str] = []
    try:
        with smtplib.SMTP(name, port, timeout=_PATIENCE) as server:
            for message in messages:
                try:
                    server.send_message(message)
                except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError,
                        UnicodeError, HeaderParseError) as error:  # fmt: skip
                    failed.append(f"the mail to {message['To']} was not taken by {host}: {error}")
    except (OSError, smtplib.SMTPException) as error:
        failed.append(f"mail cannot be sent by {host}: {error}; MAIL_HOST of the configuration names another server")
    return failed


def _host(text: str) -> tuple[str, int]:
    """Host and port; 25 where none is said."""
    name, colon, port = text.strip().rpartition(":") if text.count(":") == 1 else (text.strip(), "", "")
    if not name or (colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise ConfigError(f"MAIL_HOST is {text!r}; write a host, or host:port", kind="config.bad-value")
    return name, int(port) if colon else 25


def write(messages: Iterable[EmailMessage], folder: Path) -> list[Path]:
    """Writes mails to a directory, a file `ADDRESS.eml` each, and gives their paths. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for message in messages:
        path = folder / (re.sub(r"[^A-Za-z0-9.@_+-]", "_", str(message["To"]).lower()).lstrip(".") + ".eml")
        path.write_bytes(message.as_bytes())
        paths.append(path)
    return paths
