# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of secrets in the memory, in the files and under the names of those who have them."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import unicodedata

import pytest

import dasflex_core
from dasflex_cgi.exchange import Asked
from dasflex_core.authentication import Credentials, identify
from dasflex_core.claims import Claim
from dasflex_core.errors import AccessError, BusyError, ConfigError, QueryError
from dasflex_core.roots import make_root
from dasflex_passwd import failures, files, group_file, hashing, users
from dasflex_ws.greeting import Greeting

COMPOSED = "Zo\u00eb d\u00e9j\u00e0"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
#: Logs in as a server does, and says how large a core dump may be before and after.
DUMPS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
import dasflex_core
from dasflex_core.authentication import identify
from dasflex_core.claims import Claim
site = dasflex_core.open(sys.argv[1])
identify(Claim("192.0.2.7", ""), site.registry, site.config)
print(resource.getrlimit(resource.RLIMIT_CORE)[0] != 0)
identify(Claim("192.0.2.7", sys.argv[2]), site.registry, site.config)
print(resource.getrlimit(resource.RLIMIT_CORE)[0] != 0)
"""


@pytest.fixture
def site(tmp_path):
    return dasflex_core.open(make_root(tmp_path / "root", "Secrets", examples=False).root)


def basic(user, password):
    """The header of a log-in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def who(site, authorization, address="192.0.2.7"):
    """Who somebody is found to be; blank where they are refused."""
    try:
        return identify(Claim(address, authorization), site.registry, site.config).user
    except AccessError:
        return ""


def test_who_was_given_a_password_writes_no_core_dump(site):
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("no core dump may be written here in any case")
    users.add_user(site.config, "anna", "correct horse")
    command = [sys.executable, "-c", DUMPS, str(site.config.root), basic("anna", "correct horse")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["True", "False"]


def test_no_request_shows_its_headers_where_it_is_printed():
    headers = {"authorization": basic("anna", "correct horse")}
    secret = headers["authorization"].split()[1]
    for each in (
        Asked(method="GET", path="/", headers=headers),
        Greeting(target="/", path="/", headers=headers),
        Claim("192.0.2.7", headers["authorization"]),
        Credentials("basic", "anna", "correct horse"),
    ):
        assert secret not in repr(each)
        assert "correct horse" not in repr(each)


@pytest.mark.parametrize(("kept", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), ("a b", "a\u00a0b")])
def test_a_password_is_the_same_on_every_keyboard(site, kept, typed):
    """RFC 8265, 4.2.2: one form of each letter, and one of each blank."""
    users.add_user(site.config, "anna", kept)
    assert who(site, basic("anna", typed)) == "anna"
    assert who(site, basic("anna", kept)) == "anna"


def test_letters_that_only_look_alike_are_others(site):
    users.add_user(site.config, "anna", "\ufb01sh A")
    assert who(site, basic("anna", "fish A")) == ""
    assert who(site, basic("anna", "\ufb01sh a")) == ""


def test_an_old_hash_is_of_the_bytes_that_were_typed(site):
    from passlib.hash import sha512_crypt

    old = sha512_crypt.using(rounds=5000).hash(DECOMPOSED)
    site.config.user_passwd.write_text(f"anna:{old}\n", encoding="utf-8")
    assert who(site, basic("anna", DECOMPOSED)) == "anna"
    assert users.hash_of("anna", site.config).startswith("$argon2id$")
    assert who(site, basic("anna", COMPOSED)) == "anna"


def test_bcrypt_knows_72_bytes_and_a_longer_password_is_no_fault_of_its_hash(site, caplog):
    """As Apache reads such a file. It is not made anew from what was typed behind them, which nobody has checked."""
    import bcrypt

    long = "correct horse " * 7
    old = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    site.config.user_passwd.write_text(f"anna:{old}\n", encoding="utf-8")
    assert who(site, basic("anna", "x" * 100)) == ""
    assert who(site, basic("anna", long[:71])) == ""
    assert who(site, basic("anna", long)) == "anna"
    assert users.hash_of("anna", site.config) == old
    assert "damaged" not in caplog.text
    assert who(site, basic("anna", long[:72])) == "anna"
    assert users.hash_of("anna", site.config).startswith("$argon2id$")


def test_a_user_is_the_same_on_every_keyboard(site):
    users.add_user(site.config, DECOMPOSED.partition(" ")[0], "correct horse")
    group_file.add_members(site.config, "team", [DECOMPOSED.partition(" ")[0]])
    for typed in (COMPOSED, DECOMPOSED):
        found = identify(
            Claim("192.0.2.7", basic(typed.partition(" ")[0], "correct horse")), site.registry, site.config
        )
        assert (found.user, found.groups) == (COMPOSED.partition(" ")[0], {"team"})
    assert users.delete_user(site.config, DECOMPOSED.partition(" ")[0])


@pytest.mark.parametrize("size", [hashing.LONGEST + 1, 3000, 100_000])
def test_a_password_that_is_too_long_costs_no_more_than_another(site, size):
    users.add_user(site.config, "anna", "x" * hashing.LONGEST)
    assert who(site, basic("anna", "x" * hashing.LONGEST)) == "anna"
    assert who(site, basic("anna", "x" * size)) == ""
    with pytest.raises(QueryError, match="at most"):
        users.add_user(site.config, "anna", "x" * size)


@pytest.mark.parametrize("password", ["a\0b", "a\nb", "\x1b[2J", "\udcff"], ids=ascii)
def test_what_no_keyboard_writes_is_no_password(site, password):
    with pytest.raises(QueryError) as caught:
        users.add_user(site.config, "anna", password)
    assert password not in str(caught.value)
    assert users.users(site.config) == ()


def test_whoever_replaces_the_file_leaves_no_moment_in_which_the_server_cannot_read_it(site):
    """Root changes a file of the server's group: each version of it has its mode and group from its first moment on."""
    file = site.config.user_passwd
    users.add_user(site.config, "anna", "correct horse")
    file.chmod(0o640)
    seen: set[int] = set()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            seen.add(file.stat().st_mode & 0o777)

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(100):
        files.changed(file, lambda lines, number=number: [*lines[:1], f"# {number}"])
    stop.set()
    thread.join()
    assert seen == {0o640}


def test_a_link_in_the_place_of_the_lock_is_not_followed(site, tmp_path):
    file = site.config.user_passwd
    lock = file.with_name(f".{file.name}.lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        users.add_user(site.config, "anna", "correct horse")
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_counted_does_not_stay_for_ever(site, monkeypatch):
    """As from thousands of addresses that each try once."""
    monkeypatch.setattr(failures, "_LOOKED", 1)
    now = 1_800_000_000.0
    for number in range(50):
        failures.failed(f"user{number}", f"198.51.100.{number}", site.config, now)
    folder = site.config.runtime / "failures"
    assert len(list(folder.iterdir())) > 100
    failures.failed("anna", "192.0.2.7", site.config, now + 901)
    assert len(list(folder.iterdir())) == 3
    for _ in range(30):
        failures.failed("anna", "192.0.2.7", site.config, now + 902)
    with pytest.raises(BusyError):
        failures.check("anna", "192.0.2.7", site.config, now + 902)


def test_a_clock_that_is_set_back_lets_nobody_in(site, monkeypatch):
    users.add_user(site.config, "anna", "correct horse")
    assert who(site, basic("anna", "correct horse")) == "anna"
    [kept] = (site.config.runtime / "passed").iterdir()
    os.utime(kept, (kept.stat().st_mtime + 3600,) * 2)  # what was verified in what is now the future
    checked = []
    verify = hashing.verify
    monkeypatch.setattr(hashing, "verify", lambda *given: checked.append(1) or verify(*given))
    assert who(site, basic("anna", "correct horse")) == "anna"
    assert checked
