# SPDX-License-Identifier: GPL-3.0-or-later
"""No path leads out of what is served, however it is written, and whatever lies in the directories of the root."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_cgi import static
from dasflex_core.run.answered import read_answer
from dasflex_core.run.records import read_record

#: What is in files that nobody is served: the system's, the passwords, the configuration, the compiled definitions.
SECRETS = (b"root:x:0", b"$argon2", b"ALLOW_TEST_FROM", b"reader.py", b"OUTSIDE")
DOTS = (
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "..%00",
    "%c0%ae%c0%ae",
    "%ef%bc%8e%ef%bc%8e",
    "....",
    ". .",
    "..;",
    "..%20",
    "%u002e%u002e",
)
SLASHES = ("/", "//", "%2f", "%252f", "\\", "%5c", "/./", "/%00/", "%c0%af", ";/", "/;/")
GOALS = (
    "etc/passwd",
    "etc/dasflex.conf",
    "sources/vault/user.json",
    "run/tickets.key",
    "definitions/Vault/User/source.toml",
    "log/x.log",
)
FAMILIES = (
    "/{0}", "/static/{0}", "/static/plotly-{0}", "/source/{0}", "/source/{0}.html", "/source/{0}/flex", "/source/vault/{0}/data.csv",
    "/source/open/free/{0}", "/source/open/free/data.{0}", "/source/{0}/ticket", "/source/{0}.json", "/request/{0}", "/answer/{0}",
    "/jobs/{0}", "/jobs/{0}/result", "/?server=dsdf&dataset={0}", "/?server=dataset&dataset={0}&start_time=2020&end_time=2021",
    "/?server={0}", "/search?q={0}", "/verify?source={0}", "/hapi/{0}", "/das/{0}", "/metrics/{0}",
)  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_of_paths_leads_to_a_file_of_the_machine_or_of_the_site(served, vault, family):
    for place, dots in enumerate(DOTS):
        for slash in (SLASHES[0], *SLASHES[1 + place % 2 :: 2]):
            climb = slash.join([dots] * 3)
            for goal in (GOALS[0], GOALS[len(dots + slash) % len(GOALS)])[: 1 + place % 2]:
                way = f"{climb}{slash}{goal.replace('/', slash)}"
                answer = served.get(family.format(way))
                assert answer.status in (200, 301, 302, 307, 308, 400, 401, 403, 404, 405)
                assert not [secret for secret in SECRETS if secret in answer.body]
                assert str(vault.root).encode() not in answer.body
    for absolute in (
        "/etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        f"{vault.root}/etc/passwd",
        "C:\\boot.ini",
        "\\\\host\\x",
        "~root/.profile",
    ):
        answer = served.get(family.format(absolute.replace(" ", "%20")))
        assert not [secret for secret in SECRETS if secret in answer.body]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=st.sampled_from(["/static/", "/", "/source/", "//static//", "/STATIC/"]),
    pieces=st.lists(st.sampled_from(["..", ".", "", "a", "etc", "passwd", "static", "public", "sources", "vault", "user.json", "\0", " ", "\\", "~",
                                     "...", "x.css", ".hidden.css", "..css", "a.css/"]) | st.text(max_size=5), max_size=8),
)  # fmt: skip
def test_what_is_found_lies_in_the_trees_that_are_served(vault, first, pieces):
    found = static.find(str(vault.root), first + "/".join(pieces))
    trees = (vault.root / "static", vault.root / "public", Path(static.__file__).parent / "static")
    assert found is None or any(Path(found).resolve().is_relative_to(each.resolve()) for each in trees)


class TestLinks:
    @pytest.fixture
    def planted(self, own_vault, tmp_path):
        """Links and other things in what is served, as an upload or an unpacked archive may leave them."""
        outside = tmp_path / "outside"
        outside.mkdir()
        for name in ("secret.css", "secret.json", "a.css.gz", "secret.css.zst"):
            (outside / name).write_text("OUTSIDE")
        for tree in ("static", "public"):
            place = own_vault.root / tree
            place.mkdir(exist_ok=True)
            (place / "file.css").symlink_to(outside / "secret.css")
            (place / "folder").symlink_to(outside)
            (place / "passwd.txt").symlink_to("../etc/passwd")
            (place / "a.css").write_text("a {}")
            (place / "a.css.gz").symlink_to(outside / "a.css.gz")
            (place / "a.css.zst").symlink_to(outside / "secret.css.zst")
            (place / "loop.css").symlink_to("loop.css")
            (place / "zero.css").symlink_to("/dev/zero")
            (place / ".hidden.css").write_text("OUTSIDE")
            (place / "is.css").mkdir()
            os.mkfifo(place / "pipe.css")
        return own_vault

    @pytest.mark.parametrize("tree", ["/static/", "/", "/source/"])
    def test_links_lead_out_of_no_tree_and_only_files_are_served(self, planted, tree):
        for name in ("file.css", "folder/secret.css", "folder/secret.json", "passwd.txt", "loop.css", "zero.css", ".hidden.css", "is.css",
                     "pipe.css", "a.css/", "a.css/x.css", "a.css\0.png", "a.css%00"):  # fmt: skip
            begun = time.perf_counter()
            answer = planted.ask(f"{tree}{name}", headers={"accept-encoding": "gzip, zstd"})
            assert answer.status == 404, name
            assert b"OUTSIDE" not in answer.body
            assert time.perf_counter() - begun < 2
        answer = planted.ask(f"{tree}a.css", headers={"accept-encoding": "gzip, zstd"})
        assert (answer.status, answer.body) == (200, b"a {}")

    def test_a_link_that_is_put_in_the_place_of_a_file_while_it_is_served_is_not_followed(self, planted):
        place = planted.root / "static" / "late.css"
        place.write_text("a {}")
        file = static.find(str(planted.root), "/static/late.css")
        place.unlink()
        place.symlink_to(planted.root / "etc" / "passwd")
        assert static.sent(file, "GET", {}, "no-store") is None


@pytest.mark.parametrize("read", [read_record, read_answer])
def test_what_is_kept_of_requests_is_found_by_ids_only(read, tmp_path):
    (tmp_path / "secret.json").write_text('{"id": "x"}')
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("../secret", "..%2fsecret", "../secret.json", "/etc/passwd", "", ".", "..", "\0", "a" * 5000, f"../kept/{'a' * 22}",
                 "\u0661" * 22, "a" * 21 + "/", "a" * 22 + "\n"):  # fmt: skip
        with pytest.raises(LookupError):
            read(name, str(folder))
