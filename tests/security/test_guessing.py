# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords cannot be guessed, users not be told from nobody, nobody be locked out, and no secret be read anywhere."""

from __future__ import annotations

import statistics
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from dasflex_core.tickets import issue, site_key
from dasflex_passwd import failures, tokens

DAY = "time=2020-01-01/2020-01-02"
FLEX = "/source/vault/user/flex"


def status(vault, authorization: str, client: str = "203.0.113.9") -> int:
    """The status of a request with a log-in."""
    return vault.ask(FLEX, DAY, "HEAD", client, headers={"authorization": authorization}).status


class TestBackOff:
    def test_nobody_is_locked_out_by_wrong_passwords_from_other_addresses(self, own_vault, log_in, known):
        """Whoever knows a name must not be able to keep its user away from the data."""
        for number in range(70):
            config, now = own_vault.site.config, time.time()
            failures.failed("anna", f"198.18.{number}.1", config, now)
            failures.failed("anna", f"2001:db8:{number:x}::1", config, now)
        for _try in range(8):
            guessed = status(own_vault, log_in("anna", "wrong"), "198.18.255.1")
        assert guessed == 429
        assert status(own_vault, known, "203.0.113.9") == 200
        assert status(own_vault, known, "2001:db8:ffff::1") == 200

    def test_one_address_cannot_guess_the_password_of_one_user(self, own_vault, log_in):
        statuses = [status(own_vault, log_in("anna", f"wrong{number}")) for number in range(8)]
        assert statuses[:5] == [401] * 5
        assert statuses[-1] == 429
        assert status(own_vault, log_in("ben", "wrong")) == 401, "others may log in from there"

    def test_many_addresses_may_try_one_user_once_each(self, own_vault, log_in, caplog):
        config = own_vault.site.config
        for number in range(60):
            failures.failed("anna", f"198.18.{number}.1", config, time.time())
        assert [status(own_vault, log_in("anna", "wrong"), "203.0.113.77") for _time in range(2)] == [401, 429]
        assert "wrong passwords were tried for the user 'anna'" in caplog.text

    def test_one_customer_of_ipv6_is_one_address(self, own_vault):
        """Of 48 bits one customer has 65,536 networks of 64 bits."""
        config, now = own_vault.site.config, time.time()
        for number in range(80):
            failures.failed(f"user{number}", f"2001:db8:1:{number:x}::1", config, now)
        with pytest.raises(Exception, match="too many wrong passwords"):
            failures.check("somebody", "2001:db8:1:ffff::1", config, now)
        failures.check("somebody", "2001:db8:2:ffff::1", config, now)

    def test_nobody_can_find_an_address_that_shares_the_count_of_another(self, tmp_path):
        """Two sites count the same addresses in different files, by keys that nobody knows."""
        files = []
        for name in ("one", "other"):
            for number in range(3):
                config = SimpleNamespace(runtime=tmp_path / name)
                failures.failed("", f"203.0.113.{number}", config, time.time())
            files.append({each.name for each in (tmp_path / name / "failures").iterdir()})
        assert len(files[0]) == 3
        assert files[0] != files[1]

    def test_wrong_tokens_are_held_up_too(self, own_vault):
        statuses = {status(own_vault, f"Bearer dfx_{number:012d}_x") for number in range(40)}
        assert statuses == {401, 429}


class TestTelling:
    def test_an_unknown_user_is_answered_as_a_known_one(self, own_vault, log_in):
        known, unknown = (
            own_vault.ask(FLEX, DAY, headers={"authorization": log_in(user, "wrong")}) for user in ("anna", "nobody")
        )
        assert (known.status, known.body) == (unknown.status, unknown.body) == (401, unknown.body)
        assert {**known.headers, "X-Request-Id": ""} == {**unknown.headers, "X-Request-Id": ""}

    def test_an_unknown_user_is_answered_as_fast_as_a_known_one(self, own_vault, log_in, monkeypatch):
        """The medians differ by less than a fifth; whoever measures on a loaded machine measures again."""
        monkeypatch.setattr(failures, "check", lambda *_given: None)

        def median(user: str, number: int) -> float:
            begun = time.perf_counter()
            assert status(own_vault, log_in(user, f"wrong{number}")) == 401
            return time.perf_counter() - begun

        for _try in range(6):
            taken = [(median("anna", number), median("nobody", number)) for number in range(9)]
            first, second = (statistics.median(each) for each in zip(*taken, strict=True))
            if abs(first - second) < 0.2 * max(first, second):
                return
        pytest.fail(f"{first:.4f} s for a known user, {second:.4f} s for an unknown one")


class TestSecrets:
    def test_no_secret_is_in_a_log_a_record_a_note_or_an_answer(self, own_vault, log_in):
        """Whatever is sent as a password, a token or a ticket, by header or, wrongly, by the address."""
        config = own_vault.site.config
        token = tokens.issue(config, "anna", scope=(), expires=0, name="", now=time.time())
        ticket = issue(site_key(config.runtime), "Vault/User", "anna", time.time())
        password = "Tr0ub4dor&3-zebra"  # noqa: S105  of this test only
        sent = [{"authorization": log_in("anna", password)}, {"authorization": f"Bearer {token}"}, {"authorization": f"X {ticket}"},
                {"authorization": "Basic " + password}, {"proxy-authorization": log_in("anna", password)}]  # fmt: skip
        said = [b""]
        for headers in sent:
            for path in (FLEX, "/source/vault/group/flex", "/verify", "/nothing"):
                answer = own_vault.ask(path, f"{DAY}&x=1", headers=headers)
                said.append(answer.body + str(answer.headers).encode())
        names = (
            "token",
            "access_token",
            "ticket",
            "password",
            "PASSWORD",
            "pass%77ord",
            "key",
            "authorization",
            "read.token",
            ";token",
        )
        for name in names:
            for secret in (token, ticket, quote(password, safe="")):
                for path in (FLEX, "/", "/search", "/source/open/free/flex", "/source/open/free/plan", "/nothing"):
                    own_vault.ask(
                        path, f"{DAY}&{name}={secret}&server=dataset&dataset=open/free&params={name}%3D{secret}"
                    )
        kept = b"".join(
            each.read_bytes()
            for each in own_vault.root.rglob("*")
            if each.is_file() and not each.is_symlink() and each.suffix not in (".key", ".tokens")
        )
        everything = b"".join(said) + kept + "".join(own_vault.notes).encode()
        for secret in (
            password,
            quote(password, safe=""),
            token.split("_", 2)[2],
            ticket.rpartition(".")[2],
            log_in("anna", password)[6:],
        ):
            assert secret.encode() not in everything

    def test_pages_tell_no_other_site_what_is_looked_at(self, vault):
        page = vault.ask("/source/vault/user.html", headers={"accept": "text/html", "user-agent": "Mozilla/5.0"})
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert "no-store" in vault.ask("/source/vault/user/ticket", client="198.51.100.7").headers["Cache-Control"]

    def test_what_holds_secrets_is_for_its_owner_only(self, own_vault, known):
        assert status(own_vault, known) == 200
        config = own_vault.site.config
        tokens.issue(config, "anna", scope=(), expires=0, name="", now=time.time())
        site_key(config.runtime)
        for each in (config.user_passwd, config.user_passwd.with_name("passwd.tokens"), config.runtime / "tickets.key",
                     config.runtime / "passed", *(config.runtime / "passed").iterdir()):  # fmt: skip
            assert each.stat().st_mode & 0o077 == 0, each
