# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and tokens, through the registry and the front-end: who gets in, who does not, and what is left of it."""

from __future__ import annotations

import base64
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.authentication import identify
from dasflex_core.claims import Claim
from dasflex_core.errors import AccessError, BusyError, QueryError
from dasflex_core.roots import make_root
from dasflex_passwd import failures, hashing, passed, tokens, users

AUTH = "/source/examples/auth/data.csv"
QUERY = "time=2017-01-01/2017-01-02"


@pytest.fixture
def site(tmp_path):
    """A root of its own, with the user of the examples."""
    found = dasflex_core.open(make_root(tmp_path / "root", "Passwords").root)
    users.add_user(found.config, "testuser", "test")
    return found


def basic(user, password):
    """The header of a log-in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def asked(front, authorization="", client="192.0.2.7", **more):
    """The answer to a request of the protected example."""
    headers = {"authorization": authorization} if authorization else {}
    facts = {"method": "GET", "path": AUTH, "query": QUERY, **more}
    return front.answer(Asked(headers=headers, client=client, **facts))


def who(site, authorization, address="192.0.2.7"):
    """Who somebody is found to be; blank where they are refused."""
    try:
        return identify(Claim(address, authorization), site.registry, site.config).user
    except AccessError:
        return ""


def test_the_example_is_answered_to_its_user_and_to_nobody_else(site):
    front = Front(site, pytest.fail)
    refused = asked(front)
    assert refused.status == 401
    assert dict(refused.headers)["WWW-Authenticate"] == 'Basic realm="Example Working Group"'
    wrong = asked(front, basic("testuser", "Test"))
    assert (wrong.status, wrong.body) == (401, asked(front, basic("nobody", "test")).body)
    answer = asked(front, basic("testuser", "test"))
    assert answer.status == 200
    assert dict(answer.headers)["Cache-Control"] == "private, no-store"
    assert b"random" in b"".join(answer.body)
    answer.body.close()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/source/EXAMPLES/AUTH/flex", QUERY),
        ("/source//examples//auth/data.d2t", QUERY),
        ("/source/examples/auth/plan", QUERY),
        ("/", "server=dataset&dataset=Examples/Auth&start_time=2017-01-01&end_time=2017-01-02"),
        ("/", "server=compactdataset&dataset=examples/auth.dsdf&start_time=2017-01-01&end_time=2017-01-02"),
        ("/source/examples/auth/ticket", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_way_of_asking_gets_round_the_log_in(site, path, query, method):
    front = Front(site, pytest.fail)
    for more in ({}, {"if-none-match": "*"}, {"if-modified-since": "Sun, 22 Nov 2099 00:00:00 GMT"}):
        answer = front.answer(Asked(method=method, path=path, query=query, headers=more, client="192.0.2.7"))
        assert answer.status == 401


def test_a_password_is_verified_once_in_ten_minutes_and_again_when_it_was_changed(site, monkeypatch):
    calls = []
    real = hashing.verify
    monkeypatch.setattr(hashing, "verify", lambda *given: calls.append(given) or real(*given))
    for _time in range(3):
        assert who(site, basic("testuser", "test")) == "testuser"
    assert len(calls) == 1
    hashed = users.hash_of("testuser", site.config)
    later = time.time() + passed.LASTS + 1
    assert not passed.is_remembered("testuser", "test", hashed, site.config, later)
    users.add_user(site.config, "testuser", "other")
    assert who(site, basic("testuser", "test")) == ""
    assert who(site, basic("testuser", "other")) == "testuser"


def test_what_is_kept_is_for_its_owner_only_and_shows_no_password(site):
    secret = "correct horse battery"  # noqa: S105  of a test
    users.add_user(site.config, "anna", secret)
    assert who(site, basic("anna", secret)) == "anna"
    folder = site.config.runtime / "passed"
    (file,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert site.config.user_passwd.stat().st_mode & 0o777 == 0o600
    for each in site.config.root.rglob("*"):
        if each.is_file() and not each.is_symlink():
            assert secret.encode() not in each.read_bytes()
            assert b"anna" not in each.name.encode()


OLD = {  # the password is "test" in each; made by openssl, and by bcrypt's own library
    "apr1": "$apr1$nUtqSTWZ$x5BN1htCjN8WPSxGWk1Xm.",
    "sha512": (
        "$6$rounds=656000$bnYW4W3/dfe3QmwQ$"
        "pgMg/RVbN/q25yY9bDtLLNUnapeBHXNmHYqkxmsXmS57YluLs1yBfmgg/NWMoNCm9tBViiqs1gJIVXcMaCyea1"
    ),
    "bcrypt": "$2b$12$9JzVnx.TSkea7FqhLx0Wl.9dp6N6oYPjR0AosRftpU9qYBs1OAPEW",
}


@pytest.mark.parametrize("kind", OLD)
def test_old_hashes_are_verified_and_made_anew(site, kind):
    site.config.user_passwd.write_text(f"# of an old server\nbob:{OLD[kind]}:Bob\ncarl:x\n")
    assert who(site, basic("bob", "wrong")) == ""
    assert users.hash_of("bob", site.config) == OLD[kind]
    assert who(site, basic("bob", "test")) == "bob"
    lines = site.config.user_passwd.read_text().splitlines()
    assert (lines[0], lines[2]) == ("# of an old server", "carl:x")
    assert lines[1].startswith("bob:$argon2id$")
    assert lines[1].endswith(":Bob")
    assert who(site, basic("bob", "test")) == "bob"


@pytest.mark.parametrize("hashed", ["rqXexS6ZhobKA", "", "test", "$1$abc$def", "$argon2id$broken", "{SHA}x", "*", "!"])
def test_hashes_that_are_not_safe_let_nobody_in_and_the_administrator_is_told(site, hashed, caplog):
    site.config.user_passwd.write_text(f"bob:{hashed}\n")
    for password in ("test", "", hashed):
        assert who(site, basic("bob", password)) == ""
    assert ("dasflex_passwd USER" in caplog.text) is bool(hashed)


def test_an_unknown_user_takes_as_long_as_a_known_one(site, monkeypatch):
    """The medians of tries in turn lie closer together than a check of a password takes."""
    monkeypatch.setattr(failures, "check", lambda *_given: None)
    times = {"testuser": [], "nobody": []}
    for number in range(15):
        for user, taken in times.items():
            begun = time.perf_counter()
            assert who(site, basic(user, f"wrong{number}")) == ""
            taken.append(time.perf_counter() - begun)
    known, unknown = (statistics.median(each) for each in times.values())
    assert abs(known - unknown) < 0.5 * max(known, unknown)


def test_too_many_wrong_passwords_have_to_wait_and_the_user_is_not_locked_out(site):
    right = basic("testuser", "test")
    assert who(site, right, "192.0.2.1") == "testuser"

    def guess():
        for number in range(40):
            who(site, basic("testuser", f"wrong{number}"), "192.0.2.7")

    with pytest.raises(BusyError) as caught:
        guess()
    assert caught.value.kind == "busy.log-in"
    assert 1 <= caught.value.retry_after <= 301
    assert who(site, right, "192.0.2.1") == "testuser", "what was verified a moment ago is not held up"
    answer = asked(Front(site, pytest.fail), basic("testuser", "wrong"))
    assert answer.status == 429
    assert int(dict(answer.headers)["Retry-After"]) >= 1
    now = time.time()
    failures.check("testuser", "192.0.2.7", site.config, now + 301)
    assert who(site, right, "192.0.2.8") == "testuser", "what somebody does elsewhere holds nobody up"


def test_one_address_cannot_try_all_users(site):
    """Of IPv6 a customer has many: those of one network count as one."""

    def guess():
        for number in range(60):
            failures.check(f"user{number}", "2001:db8::1", site.config, time.time())
            failures.failed(f"user{number}", f"2001:db8::{number}", site.config, time.time())

    with pytest.raises(BusyError):
        guess()
    assert len(list((site.config.runtime / "failures").iterdir())) < 70


def test_a_token_is_good_for_its_scope_until_its_end_or_until_it_is_taken_back(site):
    now = time.time()
    made = tokens.issue(site.config, "testuser", scope=("examples/",), expires=now + 60, name="cron", now=now)
    other = tokens.issue(site.config, "testuser", scope=("Juno/",), expires=0, name="", now=now)
    old = tokens.issue(site.config, "testuser", scope=(), expires=now - 1, name="", now=now)
    front = Front(site, pytest.fail)
    statuses = []
    for each in (made, other, old, made[:-1], made.replace("dfx", "dfy"), "", "dfx__", "dfx_" + "a" * 9999):
        answer = asked(front, f"Bearer {each}")
        statuses.append(answer.status)
        if answer.status == 200:
            answer.body.close()
    assert statuses == [200, 403, 401, 401, 401, 401, 401, 401]
    kept = site.config.user_passwd.with_name("passwd.tokens")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert made.split("_", 2)[2] not in kept.read_text()
    assert tokens.revoke(site.config, made.split("_")[1])
    assert asked(front, f"Bearer {made}").status == 401
    query = f"{QUERY}&access_token={other}"
    assert asked(front, query=query).status in (400, 401), "no token is taken from an address, which is logged"


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nb", "a,b", "#a", "a\0", "x" * 256, " a"])
def test_names_that_would_break_the_files_are_refused(site, name):
    with pytest.raises(QueryError):
        users.add_user(site.config, name, "secret")


def run(site, *words, given=None):
    """What the program says, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "dasflex_passwd", *words],
        env={**os.environ, "DASFLEX_CONFIG": str(site.config.file)},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_program_adds_changes_and_deletes_users_with_all_that_is_theirs(site):
    code, _said, told = run(site, "-b", "anna", "secret")
    assert code == 0
    assert str(site.config.user_passwd) in told
    assert run(site, "-i", "anna", given="other\n")[0] == 0
    assert who(site, basic("anna", "other")) == "anna"
    assert run(site, "group", "add", "team", "anna", "ben")[0] == 0
    assert run(site, "group", "list")[1] == "team: anna ben\n"
    code, made, _told = run(site, "token", "anna", "--expires", "1d", "--scope", "Examples/")
    assert code == 0
    assert identify(Claim("", f"Bearer {made.strip()}"), site.registry, site.config).groups == {"team"}
    assert run(site, "-D", "anna")[0] == 0
    assert who(site, f"Bearer {made.strip()}") == ""
    assert who(site, basic("anna", "other")) == ""
    assert run(site, "group", "list")[1] == "team: ben\n"
    for words in (("-D", "anna"), ("-b", "anna"), ("anna", "x"), ("-c", "-b", "x", "y"), ("-b", "x", "")):
        code, _said, told = run(site, *words)
        assert code != 0
        assert "Traceback" not in told
    assert run(site, "-b", "--", "token", "x")[0] == 0
    assert "token" in users.users(site.config)


def test_programs_that_write_at_once_lose_nothing(site):
    names = [f"user{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as several:
        codes = list(several.map(lambda name: run(site, "-b", name, "secret")[0], names))
    assert codes == [0] * len(names)
    assert {*users.users(site.config)} == {"testuser", *names}
