# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_d2check` tells the contacts of sources that fail by mail: an SMTP server and a server of data are there."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import SMTP

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.cli.mailing import Failure, Letters, addresses_of, send
from dasflex_core.config import read_config
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

GOOD = "headers(); records(10)"
FAILS = "sys.exit('no disk')"


@dataclass
class Box:
    """What an SMTP server took: for each mail, to whom it went, and the mail. It refuses some recipients."""

    port: int = 0
    refused: str = ""
    got: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802  of aiosmtpd
        """Takes a recipient, or not."""
        if address == self.refused:
            return "550 there is nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802  of aiosmtpd
        """Takes a mail."""
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got.append((list(envelope.rcpt_tos), mail))
        return "250 OK"


@pytest.fixture
def box() -> Iterator[Box]:
    """An SMTP server at a free port, in a thread of its own."""
    made, ready, loop, stop = Box(), threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with await loop.create_server(lambda: SMTP(made, enable_SMTPUTF8=True), "127.0.0.1", 0) as server:
            made.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
        await asyncio.sleep(0)  # the transports close

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def set_keys(root, **keys: str) -> None:
    """Sets keys of the configuration."""
    file = root / "etc" / "dasflex.conf"
    kept = [line for line in file.read_text(encoding="utf-8").splitlines() if line.split(" ")[0] not in keys]
    lines = [f'{name} = "{text}"' for name, text in keys.items()]
    file.write_text("\n".join([*kept, *lines]) + "\n", encoding="utf-8")


def contact(bare, name: str, text: str) -> None:
    """Another contact of a source."""
    file = bare.root / "definitions" / name / "source.toml"
    old = "Somebody <somebody@example.org>"
    file.write_text(file.read_text(encoding="utf-8").replace(old, text), encoding="utf-8")
    assert not compile_tree(bare.root).findings


def d2check(bare, *words: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from dasflex_core.cli.verbs import d2check; d2check()", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "DASFLEX_CONFIG": bare.config, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_where_all_is_well_nothing_is_said_and_nobody_is_written_to(bare, box):
    bare.add("Good", GOOD)
    set_keys(bare.root, MAIL_HOST=f"127.0.0.1:{box.port}")
    done = d2check(bare)
    assert (done.returncode, done.stdout, done.stderr, box.got) == (0, "", "", [])


def test_each_contact_gets_one_mail_with_all_sources_of_his_that_fail(bare, box):
    bare.add("Good", GOOD)
    for name in ("One", "Two", "Three"):
        bare.add(name, FAILS)
    contact(bare, "Two", "Zoë <zoe@example.org>, Somebody <Somebody@example.org>")
    contact(bare, "Three", "nobody in particular")
    set_keys(bare.root, MAIL_HOST=f"127.0.0.1:{box.port}", SERVER_NAME="Kestrel", CONTACT_EMAIL="ops&#64;example.org")
    done = d2check(bare)
    assert done.returncode == 1
    assert done.stderr == ""
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["One", "Three", "Two"]
    mails = {each[0].lower(): mail for each, mail in box.got}
    assert len(box.got) == len(mails) == 3
    both = mails["somebody@example.org"]
    assert (both["Subject"], both["Auto-Submitted"]) == ("Kestrel: 2 sources fail", "auto-generated")
    assert both["From"].endswith("@127.0.0.1")
    text = both.get_content().replace("\r\n", "\n")
    assert "\nOne  One\n" in text
    assert "\nTwo  Two\n" in text
    assert "source.toml:5: example[0]: the example fails" in text
    assert "no disk" in text
    assert "Three" not in text
    assert mails["zoe@example.org"]["Subject"] == "Kestrel: Two fails"
    assert mails["ops@example.org"]["Subject"] == "Kestrel: Three fails"


def test_a_mail_that_is_not_taken_is_told_and_the_others_are_sent(bare, box):
    bare.add("One", FAILS)
    bare.add("Two", FAILS)
    contact(bare, "Two", "zoe@example.org")
    box.refused = "somebody@example.org"
    set_keys(bare.root, MAIL_HOST=f"127.0.0.1:{box.port}")
    done = d2check(bare)
    assert done.returncode == 1
    assert "the mail to somebody@example.org was not taken" in done.stderr
    assert [each for each, _mail in box.got] == [["zoe@example.org"]]
    set_keys(bare.root, MAIL_HOST="127.0.0.1:1")
    done = d2check(bare)
    assert done.returncode == 1
    assert "MAIL_HOST of the configuration" in done.stderr
    assert "no disk" in done.stdout


def test_mails_may_be_written_to_a_directory_instead(bare, box, tmp_path):
    bare.add("One", FAILS)
    set_keys(bare.root, MAIL_HOST=f"127.0.0.1:{box.port}", MAIL_FROM="Watch <watch@example.org>")
    done = d2check(bare, "-M", str(tmp_path / "mails"))
    assert done.returncode == 1
    assert box.got == []
    [file] = (tmp_path / "mails").iterdir()
    assert file.name == "somebody@example.org.eml"
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert (mail["From"], mail["To"]) == ("Watch <watch@example.org>", "somebody@example.org")
    assert "no disk" in mail.get_content()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["Alpha", "Beta", "Gamma"]),
        (["-s", "ALPHA", "-s", "g*"], ["Alpha", "Gamma"]),
        (["-D", "a?pha"], ["Beta", "Gamma"]),
        (["-t", "ZOE"], ["Beta"]),
        (["-T", "zoe"], ["Alpha", "Gamma"]),
        (["-n", "2"], ["Alpha", "Beta"]),
        (["-T", "zoe", "-n", "2"], ["Alpha", "Gamma"]),
    ],
)
def test_a_list_shows_what_the_options_choose_and_runs_nothing(bare, words, names):
    for name in ("Alpha", "Beta", "Gamma"):
        bare.add(name, "open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ran'), 'w').close()")
    contact(bare, "Beta", "Zoe <zoe@example.org>")
    done = d2check(bare, "-N", *words)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    assert not list(bare.root.rglob("ran"))


def test_another_server_is_asked_as_das2_clients_ask(bare, box, serving):
    """Its contacts are those that its descriptions name; what it asks a password for is passed over."""
    bare.add("Good", GOOD)
    bare.add("Empty", "headers()")
    bare.add("Fails", FAILS)
    bare.add("Damaged", "headers(); records(2); sys.stdout.write('no packet at all')")
    bare.add("Closed", FAILS)
    file = bare.root / "definitions" / "Closed" / "source.toml"
    file.write_text(
        file.read_text(encoding="utf-8") + '[access]\nrealm = "Us"\nallow = ["group:us"]\n', encoding="utf-8"
    )
    set_keys(bare.root, MAIL_HOST=f"127.0.0.1:{box.port}")
    assert not compile_tree(bare.root).findings
    server = serving("--config", bare.config, "--port", "0")
    done = d2check(bare, "-u", server.base)
    assert done.returncode == 1
    told = {line.split(":")[0]: line for line in done.stdout.splitlines()}
    assert set(told) == {"Empty", "Fails", "Damaged"}
    assert "example 1 (A day): it gives no data" in told["Empty"]
    [(recipients, mail)] = box.got
    assert recipients == ["somebody@example.org"]
    assert "3 sources fail" in mail["Subject"]
    assert server.base in mail.get_content()
    assert d2check(bare, "-u", server.base, "-s", "good").returncode == 0


def test_addresses_are_taken_from_what_people_write():
    assert addresses_of("A <a@b.org>, B <b@b.org>, A@B.org") == ["A@B.org", "b@b.org"]
    assert addresses_of("call me, @b.org, x@y@z") == []


def test_what_others_wrote_makes_no_headers(bare):
    """Titles and ids of another server come from there."""
    letters = Letters.of(read_config(bare.root / "etc" / "dasflex.conf"))
    [mail], alone = letters.to_all([Failure("A\nBcc: x@y.org", "B\r\nC", "a@b.org", ("wrong",))])
    assert not alone
    assert mail["Bcc"] is None
    assert "A Bcc: x@y.org fails" in mail["Subject"]


@pytest.mark.parametrize(("key", "text"), [("MAIL_HOST", "here:smtp"), ("MAIL_FROM", "the watch")])
def test_a_wrong_configuration_is_told(bare, key, text):
    bare.add("One", FAILS)
    set_keys(bare.root, **{key: text})
    done = d2check(bare)
    assert done.returncode == 6
    assert key in done.stderr


@pytest.mark.parametrize("host", ["a:b", ":25", "a:0", ""])
def test_a_host_is_a_name_and_a_port(host):
    with pytest.raises(ConfigError, match="MAIL_HOST"):
        send([], host)
