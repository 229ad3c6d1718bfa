# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets: good for one source and one minute, made by nobody without the key, and a key that nobody else may read."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dasflex_core.errors import AccessError, ConfigError
from dasflex_core.tickets import LASTS, check, issue, site_key

KEY = bytes(range(32))
NOW = 1_800_000_000.5


@given(some.text(), some.text(some.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_ticket_names_its_user_again(source, user):
    assert check(KEY, issue(KEY, source, user, NOW), source, NOW) == user


def test_ids_have_no_case():
    assert check(KEY, issue(KEY, "Lab/Device", "ann", NOW), "lab/DEVICE", NOW + 59) == "ann"


@pytest.mark.parametrize("later", [LASTS, LASTS + 1, -61.0, 86_400])
def test_a_ticket_is_good_from_its_issue_for_a_minute_only(later):
    with pytest.raises(AccessError):
        check(KEY, issue(KEY, "a", "ann", NOW), "a", NOW + later)


def test_of_another_source_or_key_it_is_not_good():
    ticket = issue(KEY, "a", "ann", NOW)
    for key, source in ((KEY, "b"), (bytes(32), "a"), (KEY, "a\0")):
        with pytest.raises(AccessError):
            check(key, ticket, source, NOW)


@given(place=some.integers(0, 200), byte=some.characters(codec="ascii"))
def test_a_ticket_that_was_changed_is_not_good(place, byte):
    ticket = issue(KEY, "a", "ann", NOW)
    place %= len(ticket)
    changed = ticket[:place] + byte + ticket[place + 1 :]
    if changed != ticket:
        with pytest.raises(AccessError):
            check(KEY, changed, "a", NOW)


@given(some.text(max_size=60))
def test_any_other_text_is_refused_and_not_repeated(text):
    with pytest.raises(AccessError) as refused:
        check(KEY, text, "a", NOW)
    assert str(refused.value).startswith("This ticket is not good")


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b\0c"), ("a\0b", "c")), (("a\0", "b"), ("a", "\0b")), (("a.b", "c"), ("b", "c.a"))],
)
def test_source_and_user_cannot_change_places(one, other):
    macs = {issue(KEY, *each, NOW).rpartition(".")[2] for each in (one, other)}
    assert len(macs) == 2


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    folder = tmp_path / "run"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(site_key(folder))) for _each in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert len(found[0]) == 32
    assert [each.name for each in folder.iterdir()] == ["tickets.key"]
    assert (folder / "tickets.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_or_that_is_none_is_not_used(tmp_path):
    site_key(tmp_path)
    file = tmp_path / "tickets.key"
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        site_key(tmp_path)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(ConfigError, match="32 bytes"):
        site_key(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_a_key_that_somebody_else_has_put_there_is_not_used(tmp_path):
    """Who may write to the directory, but does not own it, would know it."""
    site_key(tmp_path)
    os.chown(tmp_path / "tickets.key", 54321, -1)
    with pytest.raises(ConfigError, match="somebody else"):
        site_key(tmp_path)
    os.chown(tmp_path, 54321, -1)  # the owner of the directory is whom the server runs as, though root looks
    assert len(site_key(tmp_path)) == 32


def test_a_pipe_in_the_place_of_the_key_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "tickets.key", 0o600)
    with pytest.raises(ConfigError):
        site_key(tmp_path)


def test_a_link_in_the_place_of_the_key_is_not_followed(tmp_path):
    (tmp_path / "else").write_bytes(KEY)
    (tmp_path / "tickets.key").symlink_to(tmp_path / "else")
    with pytest.raises(ConfigError):
        site_key(tmp_path)
