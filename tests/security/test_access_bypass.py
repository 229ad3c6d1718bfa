# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody gets data of a protected source by asking in another way.

The attacks are made without a login, and look for the data themselves in what comes, whatever its status.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.claims import Claim
from dasflex_core.errors import DasflexError
from dasflex_core.site import Request
from dasflex_core.tickets import issue, site_key
from dasflex_passwd import tokens, users

DAY = "time=2020-01-01/2020-01-02"
NEW = "time=2026-01-01/2026-01-02"
DAS2 = "start_time=2020-01-01&end_time=2020-01-02"
#: No data, by whatever status it is said.
REFUSED = {400, 401, 403, 404, 405}
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_attacks_would_be_seen(vault, known):
    """The user gets data, whole and in every form, and everybody those of the open source."""
    for suffix in ("flex", "data.csv", "data.d2t", "data.json"):
        answer = vault.ask(f"/source/vault/user/{suffix}", DAY, headers={"authorization": known})
        assert (answer.status, answer.records) == (200, 60)
    assert vault.ask("/source/open/free/flex", DAY).leaks
    assert vault.ask("/source/vault/user/flex", DAY).status == 401


class TestPaths:
    """Whatever is written for the path, it names the protected source, or none."""

    #: What stands before the id, the id, and what follows.
    TARGETS = (
        "/source/VAULT/USER/FLEX",
        "/SOURCE/Vault/User/Data.CSV",
        "/source/vault%2Fuser/flex",
        "/source%2fvault%2fuser%2fflex",
        "/source/vault/%75ser/flex",
        "/source/vault/%2575ser/flex",
        "/source/vault%252Fuser/flex",
        "//source//vault///user//flex",
        "/source/vault/user/flex/",
        "/source/vault/user/flex.",
        "/source/vault/user./flex",
        "/source/vault/user/./flex",
        "/source/./vault/user/flex",
        "/source/open/../vault/user/flex",
        "/source/open/free/../../vault/user/flex",
        "/source/open/free/..%2f..%2fvault/user/flex",
        "/source/open/free%00/../vault/user/flex",
        "/source/vault/user%00/flex",
        "/source/vault/user%20/flex",
        "/source/vault/user%0a/flex",
        "/source/vault/user;a=b/flex",
        "/source/vault;/user/flex;x",
        "/source/vault/user/flex;jsessionid=1",
        "/source/vault\\user\\flex",
        "/source/vault/user/data.csv/",
        "/source/vault/user/data.csv.gz",
        "/source/vault/user/data.",
        "/source/vault/user/data",
        "/source/vault/user.csv",
        "/source/vault/user.html/flex",
        "/source/vault/user.dsdf/flex",
        "/source/vault/user/flexRT",
        "/source/attic/user/flex",
        "/source/Attic/User/data.csv",
        "/source/open/view/flex",
        "/source/open/again/flex",
        "/source/OPEN/AGAIN/data.csv",
        "/source/vault/user/plan",
        "/source/vault/user/ticket",
        "/source/%EF%BD%96ault/user/flex",
        "/source/vault/u%C5%BFer/flex",
        "/source/vault/user%c0%af/flex",
        "/public/vault/user/flex.json/../../../../sources/vault/user.json",
        "/sources/vault/user.json",
        "/static/../sources/vault/user.json",
        "http://localhost/source/vault/user/flex",
        "http://other.example/source/vault/user/flex",
        "source/vault/user/flex",
        "/?/source/vault/user/flex",
    )  # fmt: skip

    @pytest.mark.parametrize("target", TARGETS)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_no_spelling_of_a_path_gets_round_the_rules(self, served, target, method):
        answer = served.get(f"{target}?{DAY}", method=method)
        assert not answer.leaks
        assert "ETag" not in answer.headers or answer.status != 304
        if not target.startswith("/?"):
            assert answer.status in REFUSED | {301, 302, 307, 308}
            assert "Content-Disposition" not in answer.headers

    @pytest.mark.parametrize(
        "name", ["vault/user", "VAULT/USER", "Vault/User.dsdf", "vault/user.DSDF", "/vault/user/", "vault//user",
                 "attic/user", "open/view", "Open/Again", "vault%252Fuser", "vault/./user", "open/../vault/user",
                 "vault/user;", "vault/user%00", "%20vault/user"],
    )  # fmt: skip
    def test_no_spelling_of_a_das2_request_gets_round_the_rules(self, served, name):
        for base, keyword in (
            ("/", "dataset"), ("/das/server", "DATASET"), ("/DAS/das2Server/", "compactdataset"), ("//", "data%73et"), ("/", "image"),
        ):  # fmt: skip
            for query in (
                f"server={keyword}&dataset={name}&{DAS2}",
                f"SERVER={keyword}&DataSet={name}&{DAS2}&key=anna&user=anna&password=x",
                f"{DAS2}&dataset=open/free&dataset={name}&server={keyword}",
            ):
                answer = served.get(f"{base}?{query}")
                assert not answer.leaks
                assert answer.status in REFUSED or (answer.status == 501 and keyword == "image")

    @QUICK
    @given(data=st.data())
    def test_no_distortion_of_a_path_gets_round_the_rules(self, vault, data):
        """Case, encodings once and twice, and what servers, proxies and programs take for nothing."""
        way = data.draw(st.sampled_from(["/source/vault/user/flex", "/source/open/again/data.csv"]))
        pieces = []
        for plain in way:
            how = data.draw(st.integers(0, 11))
            char = plain.swapcase() if how == 0 else plain
            pieces.append(f"%{ord(char):02x}" if how == 1 else f"%25{ord(char):02X}" if how == 2 else char)
            if how in (3, 4) or (char == "/" and how < 8):
                pieces.append(
                    data.draw(st.sampled_from(["", "/", "./", "../", ";a", "%00", ".", " ", "%2e/", "\\", "?"]))
                )
        path, _, query = "".join(pieces).partition("?")
        answer = vault.ask(unquote(path), f"{query}&{DAY}")
        assert not answer.leaks
        assert answer.status != 304


class TestMethods:
    @pytest.mark.parametrize(
        "method",
        ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "Get", "GETS", "X"],
    )
    @pytest.mark.parametrize(
        "path", ["/source/vault/user/flex", "/source/vault/user/plan", "/source/vault/user/ticket"]
    )
    def test_no_other_method_gives_data(self, vault, method, path):
        answer = vault.ask(path, DAY, method)
        assert not answer.leaks
        assert answer.status in ({200} if method == "OPTIONS" else {401, 405})
        assert not answer.body or answer.status in (401, 405)

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-http-method-override": "OPTIONS"},
            {"x-original-url": "/source/open/free/flex"},
            {"x-rewrite-url": "/source/vault/user/flex"},
            {"x-remote-user": "anna"},
            {"remote-user": "anna"},
            {"remote_user": "anna"},
            {"x_remote_user": "anna"},
            {"x-forwarded-user": "anna"},
            {"x-webauth-user": "anna"},
            {"x-forwarded-for": "198.51.100.7"},
            {"x-real-ip": "198.51.100.7"},
            {"client-ip": "198.51.100.7"},
            {"forwarded": "for=198.51.100.7"},
            {"cookie": "user=anna; REMOTE_USER=anna; session=1"},
            {"authorization": ""},
            {"referer": "http://localhost/source/vault/user.html"},
            {"origin": "http://localhost"},
            {"host": "198.51.100.7"},
            {"via": "1.1 198.51.100.7"},
            {"range": "bytes=0-100"},
            {"accept": "text/html", "user-agent": "Mozilla/5.0"},
            {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13",
             "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="},
        ],
        ids=lambda headers: next(iter(headers)),
    )  # fmt: skip
    def test_no_header_of_a_stranger_opens_a_source(self, vault, headers):
        for path in ("/source/vault/user/flex", "/source/open/again/plan", "/source/vault/user/ticket"):
            answer = vault.ask(path, DAY, headers=headers)
            assert (answer.status, answer.leaks) == (401, False)

    def test_headers_with_underscores_are_not_those_with_hyphens(self, served):
        """A web server that takes X-Remote-User out of what clients send may leave X_Remote_User in."""
        for name in ("X_Remote_User", "REMOTE_USER", "X-Remote_User"):
            assert served.get(f"/source/vault/user/flex?{DAY}", f"{name}: anna").status == 401

    @pytest.mark.parametrize(
        "headers",
        [
            {"if-none-match": "*"},
            {"if-none-match": 'W/"x", *'},
            {"if-modified-since": "Sun, 22 Nov 2099 00:00:00 GMT"},
            {"if-match": "*"},
            {"if-unmodified-since": "Sun, 22 Nov 2099 00:00:00 GMT"},
            {"if-range": '"x"', "range": "bytes=0-"},
            {"accept-encoding": "gzip"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_no_condition_tells_a_stranger_of_the_data(self, vault, known, headers, method):
        answer = vault.ask("/source/vault/user/flex", DAY, method, headers=headers)
        assert answer.status == 401
        assert not {"ETag", "Last-Modified", "Content-Disposition", "Content-Range"} & answer.headers.keys()
        tag = vault.ask("/source/vault/user/flex", DAY, "HEAD", headers={"authorization": known}).headers["ETag"]
        held = vault.ask("/source/vault/user/flex", DAY, method, headers={**headers, "if-none-match": tag})
        assert (held.status, "ETag" in held.headers) == (401, False)


class TestAge:
    """`age:1y`: whatever is asked, the reader is told an end that is a year old, and its answer is cut there."""

    def test_an_end_that_nothing_uses_opens_nothing(self, vault):
        """A das2 client has its range ignored where no stage can consume it: all data would be old ones."""
        for query in ("end_time=2019-01-01", "start_time=2018-01-01&end_time=2019-01-01"):
            answer = vault.ask("/", f"server=dataset&dataset=vault/uncut&{query}")
            assert (answer.status, answer.leaks) == (401, False)
        assert not vault.ask("/source/vault/uncut/flex", DAY).leaks

    def test_what_a_reader_gives_beyond_its_range_is_cut(self, vault):
        answer = vault.ask("/source/vault/whole/flex", "time=2018-01-01/2019-01-01")
        assert answer.records == 0
        answer = vault.ask("/source/vault/whole/flex", "time=2018-01-01/2020-01-01T00:00:30")
        assert (answer.status, answer.records) == (200, 3)

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "read.time.min=2019-01-01",
            "read.time.min=2019-01-01&read.time.max=",
            "read.time.min=2019-01-01&read.time.max=forever",
            "read.time.min=2019-01-01&read.time.max=now",
            "read.time.min=2019-01-01&read.time.max=now-P1D",
            "read.time.min=2019-01-01&read.time.max=now-P364D",
            "read.time.min=2019-01-01&read.time.max=now%2BP1Y",
            "read.time.min=now-P2Y&read.time.max=now-PT1S",
            "time=2019-01-01/forever",
            "time=2019-01-01/",
            "time=2019-01-01/now",
            "time=2019-01-01/9999-12-31",
            "time=2019-01-01/99999",
            "time=2019-01-01/-1",
            "time=2019-01-01/2026-999",
            "time=2019-01-01/2019-01-01T99",
            "time=2019-01-01/2019-13-45",
            "time=2019-01-01/2026",
            "time=2019-01-01%20to%20now",
            "read.time.max=2019-01-02&time=2019-01-01/now",
            "time=2019-01-01/2019-01-02&time=2019-01-01/now",
            "read.time.min=2019-01-01&read.time.max=2019-01-02&read.time.max=now",
            "read.time.min=2019-01-01&read.time.max=now&READ_TIME_MAX=2019-01-02",
            "read.time.min=2019-01-01&Read.Time.Max=2019-01-02&read_time_max=now",
            "read.time.min=2019-01-01&read.Time.Max=2019-01-02",
            "read.time.min=2019-01-01&read.time.max%00=2019-01-02",
            "read.time.min=2019-01-01&read.time.max[]=2019-01-02",
            "read.time.min=2019-01-01;read.time.max=2019-01-02",
            "read.time.min=2019-01-01&end_time=2019-01-02",
        ],
    )
    def test_no_range_without_an_old_end_is_given(self, vault, query):
        for source in ("age", "either", "whole", "uncut"):
            for path in ("flex", "data.csv", "plan"):
                answer = vault.ask(f"/source/vault/{source}/{path}", query)
                assert answer.status in (400, 401)
                assert not answer.leaks

    NAMES = st.sampled_from(
        ["read.time.max", "Read.Time.Max", "read_time_max", "READ.TIME.MAX", " read.time.max", "read.Time.max", "time",
         "end_time", "End_Time", "read.time.min", "start_time", "stop", "format.type", "bin.time.max"]
    )  # fmt: skip
    TIMES = st.sampled_from(
        ["2019-01-01", "2018-001", "now", "forever", "NOW", "now-P2Y", "now-P1M", "now-P1Y", "now+P1D", "", " ",
         "2019-01-01T00:00:00Z", "2019-01-01T24:00", "2016-12-31T23:59:60", "20190101", "2019/01/01", "9999-12-31", "0001",
         "2026-06-01", "-1", "1e3", "nan", "2019-01-01/now", "2018-01-01/2019-01-01", "2018-01-01 to 2019-01-01", "/", "60",
         "\u0662\u0660\u0661\u0669-\u0660\u0661-\u0660\u0661", "2019-01-01\n", "2019-01-01\0", "2019 01 01", "Jan 1 2019", "csv"]
    )  # fmt: skip

    @settings(QUICK, max_examples=250)
    @given(
        source=st.sampled_from(["vault/age", "vault/either", "vault/uncut", "open/aged"]),
        pairs=st.lists(st.tuples(NAMES, TIMES | st.dates().map(str)), max_size=5),
        convention=st.sampled_from(["flex", "das2"]),
    )
    def test_whatever_is_asked_the_reader_is_told_an_old_end(self, vault, source, pairs, convention):
        try:
            plan = Request(vault.site[source], tuple(pairs), convention, Claim("203.0.113.9")).plan()
        except DasflexError:
            return
        reader = plan.solution.nodes[0].command.argvs[0]
        assert "read.time.max" in {name for step in plan.solution.path.steps for name in step.consumes}
        end = datetime.fromisoformat(reader[-1][:19].replace(":60", ":59")).replace(tzinfo=UTC)
        assert end <= datetime.now(UTC) - timedelta(days=364)


class TestBins:
    """`bin:60s`: nobody who has not logged in gets a value for less than a minute."""

    @pytest.mark.parametrize(
        "width", ["", "1", "59.999", "60", "6e1", "60 s", "1 min", "0", "-60", "1e-9", "nan", "inf", "-inf", "1e400", "0x3c",
                  "6_0", "\uff16\uff10", "60,1", "60 ms", "60s1", "1/0", "null", "60&bin.time.max=1", "1&bin.time.max=60",
                  "60&Bin.Time.Max=1", "60&bin_time_max=1", "60&bin.stats=", "60&bin.align=grid", "60&bin.time.min=1",
                  "60&dft.length=16", "60&calc.rate=1", "60&view.points=1000000", "60&read.data=v"],
    )  # fmt: skip
    def test_no_width_gives_more_than_averages(self, vault, width):
        source = ("vault/bin", "vault/all", "open/narrow")[len(width) % 3]
        query = f"{NEW}&bin.time.max={width}" if width else NEW
        das2 = (
            query.replace("time=", "start_time=", 1).replace("/", "&end_time=", 1).replace("bin.time.max", "resolution")
        )
        for path, text in (
            (f"/source/{source}/data.csv", query),
            ("/", f"server=dataset&dataset={source}&ascii=1&{das2}"),
            ("/", f"server=dataset&dataset={source}&ascii=1&{das2.replace('resolution', 'bin.time.max')}"),
        ):
            answer = vault.ask(path, quote(text, safe="=&/:.,-+"))
            assert answer.status in (200, 400, 401)
            assert answer.body.count(b"2026-01-01T") <= 11  # ten minutes, and the range in a header

    @QUICK
    @given(
        pairs=st.lists(
            st.tuples(
                st.sampled_from(["bin.time.max", "Bin.Time.Max", "bin_time_max", "resolution", "bin.stats", "bin.align",
                                 "view.points", "dft.length", "format.type", "bin.v.max", "interval", "read.data"]),
                st.floats().map(str) | st.sampled_from(["60", "59", "1e9", "v", "mean", "grid", "csv", "", "min,max"]),
            ),
            max_size=4,
        ),
        source=st.sampled_from(["vault/bin", "vault/all", "open/narrow"]),
        convention=st.sampled_from(["flex", "das2"]),
    )  # fmt: skip
    def test_whatever_is_asked_bins_of_a_minute_are_made(self, vault, pairs, source, convention):
        begin = ("start_time", "2026-01-01") if convention == "das2" else ("read.time.min", "2026-01-01")
        end = ("end_time", "2026-01-02") if convention == "das2" else ("read.time.max", "2026-01-02")
        try:
            plan = Request(vault.site[source], (begin, end, *pairs), convention, Claim("203.0.113.9")).plan()
        except DasflexError:
            return
        made = [node for node in plan.solution.nodes if node.name == "bin-average"]
        assert made
        assert all(float(dict(node.values)["seconds"]) >= 60 for node in made)


class TestLogIns:
    @pytest.mark.parametrize(
        "authorization",
        [
            "Basic", "Basic ", "Basic Og==", "Basic YW5uYTo=", "Basic OmNvcnJlY3QgaG9yc2U=", "Basic YW5uYQ==", "basic !", "Bearer",
            "Bearer ", "Bearer dfx_", "Bearer dfx__", "Bearer null", "Bearer undefined", "Digest username=anna", "Negotiate YW5uYQ==",
            "remote-user anna", "Remote-User anna", "ticket anna", "anna", "Basic YW5uYTpjb3JyZWN0IGhvcnNl,", "BasicYW5uYQ==",
            "Basic YW5uYTpjb3JyZWN0IGhvcnNl Bearer x", "Basic " + "A" * 5000, "\x00", "Basic \x00",
        ],
    )  # fmt: skip
    def test_what_is_no_log_in_opens_nothing(self, own_vault, authorization):
        for path in ("/source/vault/user/flex", "/source/open/again/plan", "/source/vault/user/ticket"):
            answer = own_vault.ask(path, DAY, headers={"authorization": authorization})
            assert (answer.status, answer.leaks) == (401, False)

    @pytest.mark.parametrize(
        ("user", "password"),
        [
            ("", ""), ("anna", ""), ("", "correct horse"), ("anna", "correct horse "), ("Anna", "correct horse"), ("anna ", "correct horse"),
            ("anna\n", "correct horse"), ("anna\0", "correct horse"), ("#", ""), ("*", "*"), ("anna", "correct horse\0"), ("\uff41nna", "correct horse"),
        ],
    )  # fmt: skip
    def test_only_the_very_name_and_password_open_a_source(self, own_vault, log_in, user, password):
        answer = own_vault.ask("/source/vault/user/flex", DAY, headers={"authorization": log_in(user, password)})
        assert (answer.status, answer.leaks) == (401, False)

    def test_lines_of_the_password_file_that_are_no_users_are_none(self, own_vault, log_in):
        file = own_vault.site.config.user_passwd
        hashed = users.hash_of("anna", own_vault.site.config)
        file.write_text(f":{hashed}\n#anna:{hashed}\n # anna : {hashed}\nno colon\n\n::\n")
        for user in ("", "#anna", "# anna", "anna", "no colon"):
            answer = own_vault.ask(
                "/source/vault/user/flex", DAY, headers={"authorization": log_in(user, "correct horse")}
            )
            assert answer.status == 401

    def test_a_user_gets_what_the_rules_give_and_no_more(self, vault, known):
        headers = {"authorization": known}
        assert vault.ask("/source/vault/group/flex", DAY, headers=headers).status == 403
        assert vault.ask("/source/vault/age/flex", NEW, headers=headers).status == 403
        assert vault.ask("/source/vault/all/data.csv", NEW, headers=headers).records == 10
        assert vault.ask("/", f"server=dataset&dataset=vault/group&{DAS2}", headers=headers).status == 403

    @pytest.mark.parametrize(
        ("scope", "opened"),
        [
            ((), True),
            (("Vault/User",), True),
            (("VAULT/",), True),
            (("Vault/Use",), False),
            (("Vault/User/",), False),
            (("Vault/Group",), False),
            (("Open/",), False),
            (("",), False),
            (("/",), False),
            (("*",), False),
            (("../",), False),
            (("Vault",), False),
        ],
    )
    def test_a_token_opens_what_is_in_its_scope(self, own_vault, scope, opened):
        config, now = own_vault.site.config, time.time()
        token = tokens.issue(config, "anna", scope=scope, expires=0, name="", now=now)
        headers = {"authorization": f"Bearer {token}"}
        for path, status in (("flex", 200), ("plan", 200), ("ticket", 200)):
            answer = own_vault.ask(f"/source/vault/user/{path}", DAY, headers=headers)
            assert answer.status == (status if opened else 403)
        if "Open/" in scope:  # a view is what was asked, and may be read by whom its token is for
            assert own_vault.ask("/source/open/view/flex", DAY, headers=headers).status == 200
        assert tokens.revoke(config, token.split("_")[1])
        assert own_vault.ask("/source/vault/user/flex", DAY, headers=headers).status == 401

    def test_no_token_of_another_form_or_time_opens_a_source(self, own_vault):
        config, now = own_vault.site.config, time.time()
        good = tokens.issue(config, "anna", scope=(), expires=now + 60, name="", now=now)
        old = tokens.issue(config, "anna", scope=(), expires=now - 1, name="", now=now)
        name, identifier, secret = good.split("_", 2)
        kept = next(tokens.tokens(config, "anna"))
        for each in (
            old, good.upper(), f"{name}_{identifier}_", f"{name}__{secret}", f"{name}_{'0' * 12}_{secret}", good + "=", good[:-1],
            f"{name}_{identifier}_{kept.digest}", f"{good} {good}", f"{good},x", kept.digest, identifier, secret,
        ):  # fmt: skip
            answer = own_vault.ask("/source/vault/user/flex", DAY, headers={"authorization": f"Bearer {each}"})
            assert answer.status == 401
        for name in ("access_token", "token", "ticket", "authorization", "Authorization", "bearer"):
            answer = own_vault.ask("/source/vault/user/flex", f"{DAY}&{urlencode({name: good})}")
            assert answer.status in (400, 401)
        assert (
            own_vault.ask("/", urlencode({"access_token": good}) + f"&server=dataset&dataset=vault/user&{DAS2}").status
            == 401
        )

    def test_a_ticket_opens_a_websocket_and_nothing_over_http(self, vault):
        ticket = issue(site_key(vault.site.config.runtime), "Vault/User", "anna", time.time())
        for headers, query in (({"authorization": f"Ticket {ticket}"}, DAY), ({"authorization": f"Bearer {ticket}"}, DAY),
                               ({}, f"{DAY}&ticket={ticket}"), ({"x-ticket": ticket}, DAY)):  # fmt: skip
            answer = vault.ask("/source/vault/user/flex", query, headers=headers)
            assert answer.status in (400, 401)
            assert not answer.leaks

    def test_a_password_that_was_changed_or_a_user_who_is_gone_opens_nothing(self, own_vault, known):
        config = own_vault.site.config
        headers = {"authorization": known}
        assert own_vault.ask("/source/vault/user/flex", DAY, headers=headers).status == 200
        users.add_user(config, "anna", "another")
        assert own_vault.ask("/source/vault/user/flex", DAY, headers=headers).status == 401
        users.add_user(config, "anna", "correct horse")
        assert own_vault.ask("/source/vault/user/flex", DAY, headers=headers).status == 200
        users.delete_user(config, "anna")
        assert own_vault.ask("/source/vault/user/flex", DAY, headers=headers).status == 401


class TestAddresses:
    TRUSTED = "198.51.100.7"

    def test_an_address_that_is_never_asked_is_never_asked(self, vault):
        assert vault.ask("/source/vault/user/flex", DAY, client=self.TRUSTED).leaks

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
    def test_a_page_of_another_site_gets_nothing_by_the_address_of_its_visitor(self, vault, origin):
        """Everybody's scripts may read our answers. So where the address is what opens a source, they get none."""
        headers = {"origin": origin, "host": "localhost"}
        for path in ("flex", "plan", "ticket", "data.csv"):
            answer = vault.ask(
                f"/source/vault/user/{path}", DAY, client=self.TRUSTED, headers=headers, origin="http://localhost"
            )
            assert (answer.status, answer.leaks) == (401, False)
        ours = {"origin": "https://localhost", "host": "localhost"}
        assert vault.ask("/source/vault/user/flex", DAY, client=self.TRUSTED, headers=ours).leaks

    @pytest.mark.parametrize(
        "line",
        ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.7, 203.0.113.9", "X-Forwarded-For: 198.51.100.7,",
         "X-Forwarded-For: 198.51.100.7, unknown", "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9",
         "X-Real-IP: 198.51.100.7", "Forwarded: for=198.51.100.7", "X_Forwarded_For: 198.51.100.7"],
    )  # fmt: skip
    def test_only_the_last_address_that_was_added_counts(self, served, line):
        assert served.get(f"/source/vault/user/flex?{DAY}", line).status == 401

    def test_logs_are_shown_to_their_addresses_only(self, vault):
        """Who asks for what is nobody's business, and a page of another site has the address of its visitor."""
        vault.ask("/source/vault/user/flex", DAY, headers={"user-agent": "SECRETAGENT"})
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        places = ("", "tail", "search", "sources", day, f"{day}/203.0.113.9", "request/x", "../log/tail", "%2e/tail")
        evil = {"origin": "https://evil.example", "host": "localhost"}
        for place in places:
            for base in ("/log/", "/LOG/", "//log//"):
                for facts in ({}, {"client": "127.0.0.1", "headers": evil}, {"headers": {"x-forwarded-for": "127.0.0.1"}},
                              {"headers": {"accept": "application/json"}}, {"client": "::ffff:203.0.113.9"}, {"client": ""}):  # fmt: skip
                    answer = vault.ask(base + place, "q=flex&format=json", **facts)
                    assert answer.status in (403, 404)
                    assert b"SECRETAGENT" not in answer.body
        shown = vault.ask(f"/log/{day}/203.0.113.9", "format=json", client="127.0.0.1")
        assert shown.status == 200
        assert b"SECRETAGENT" in shown.body


class TestWhatIsTold:
    """What is kept of the requests of others."""

    def test_the_record_of_a_request_has_neither_data_nor_who_asked(self, vault, known):
        answer = vault.ask("/source/vault/user/flex", DAY, client="192.0.2.44", headers={"authorization": known})
        record = vault.ask(f"/request/{answer.headers['X-Request-Id']}")
        told = record.body.decode()
        assert record.status == 200
        assert not record.leaks
        for secret in ("anna", "192.0.2.44", "reader.py", "authorization", str(vault.root)):
            assert secret not in told
        found = vault.ask(f"/answer/{re.search('answer.: .([0-9a-z]+)', told)[1]}")
        assert not found.leaks
        assert not [each for each in ("anna", "192.0.2.44", str(vault.root)) if each in found.body.decode()]

    def test_a_refused_request_says_what_the_catalog_says_and_nothing_of_the_data(self, vault):
        public = vault.ask("/source/vault/user/flex.json").body + vault.ask("/source/vault/user.json").body
        assert b"The Vault" in public
        answer = vault.ask("/source/vault/user/flex", DAY)
        assert answer.body == b"Vault/User is protected (The Vault): log in to read it\n"
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", ["flex", "data.csv", "plan", "ticket"])
    def test_nothing_of_a_protected_source_may_be_kept_by_caches(self, vault, known, path):
        """Not what a user gets, nor what an address or everybody gets of it: the next to ask may be somebody else."""
        for source, facts in (
            ("user", {"headers": {"authorization": known}}),
            ("user", {"client": TestAddresses.TRUSTED}),
            ("age", {}),
            ("bin", {}),
        ):
            answer = vault.ask(f"/source/vault/{source}/{path}", DAY, **facts)
            if answer.status == 200:
                assert answer.headers["Cache-Control"] == "private, no-store"

    def test_pages_and_nodes_hold_no_data(self, vault):
        for path in ("/source/vault/user.html", "/source/vault/user/", "/source/vault/user.json", "/nodes.csv", "/catalog.json",
                     "/source/vault/user/flex.json", "/source/vault/user/das2.d2t", "/openapi.json", "/search"):  # fmt: skip
            answer = vault.ask(path, "q=vault")
            assert not answer.leaks
            assert b"reader.py" not in answer.body

    def test_a_stream_of_a_protected_source_is_verified_for_its_users_only(self, own_vault, known):
        query = f"source=vault/user&{DAY}"
        refused = own_vault.ask("/verify", query)
        assert (refused.status, refused.leaks) == (401, False)
        answer = own_vault.ask("/verify", query, headers={"authorization": known})
        assert answer.status == 200
        assert not answer.leaks
