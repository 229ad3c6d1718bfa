# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at once: nobody has more places than there are, in whatever process, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock, Timer

import pytest

from dasflex_core.errors import BusyError
from dasflex_core.roots import make_root
from dasflex_core.run.turns import Crowd, Group, crowd_of
from dasflex_core.site import open_site

HOLDS = """
import sys, time
from dasflex_core.run.turns import Crowd, Group
leave = Crowd(sys.argv[1], (Group("server", 2, "full"),), 0, print).enter()
print("in", flush=True)
time.sleep(60)
"""


@pytest.fixture
def crowd(tmp_path):
    """Makes crowds of groups that share a file: `crowd(server=2)`."""

    def made(patience: float = 0.0, **groups: int) -> Crowd:
        members = tuple(Group(name, most, f"{name} is full") for name, most in groups.items())
        return Crowd(str(tmp_path / "run" / "turns"), members, patience, pytest.fail)

    return made


def test_there_are_as_many_places_as_the_limit_says(crowd):
    for most in (1, 2, 7):
        several = crowd(**{f"group{most}": most})
        left = [several.enter() for _place in range(most)]
        with pytest.raises(BusyError) as refused:
            several.enter()
        assert (refused.value.kind, refused.value.retry_after) == ("busy.limit", 5)
        assert refused.value.message == f"group{most} is full"
        left.pop()()
        several.enter()()


def test_a_place_is_handed_back_once(crowd):
    one = crowd(server=1)
    leave = one.enter()
    leave()
    held = one.enter()
    leave()
    with pytest.raises(BusyError):
        one.enter()
    held()


def test_groups_have_places_of_their_own_and_a_refusal_hands_back_what_was_taken(crowd):
    ann, bob = crowd(ann=1, server=2), crowd(bob=2, server=2)
    leave = ann.enter()
    with pytest.raises(BusyError, match="ann is full"):
        ann.enter()
    left = bob.enter()
    with pytest.raises(BusyError, match="server is full"):
        bob.enter()
    left()
    both = [bob.enter()]
    leave()
    both.append(bob.enter())
    with pytest.raises(BusyError, match="bob is full"):
        bob.enter()
    for each in both:
        each()


def test_threads_share_the_places_and_each_has_its_turn(crowd):
    three, guard, inside, most = crowd(20.0, server=3), Lock(), [], []

    def work(number: int) -> None:
        leave = three.wait()
        with guard:
            inside.append(number)
            most.append(len(inside))
        time.sleep(0.005)
        with guard:
            inside.remove(number)
        leave()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(24)))
    assert len(most) == 24
    assert max(most) == 3


def test_who_waits_gets_the_place_of_who_leaves_and_is_refused_in_time(crowd):
    leave = crowd(server=1).enter()
    begun = time.monotonic()
    with pytest.raises(BusyError):
        crowd(0.2, server=1).wait()
    assert 0.1 < time.monotonic() - begun < 2
    Timer(0.1, leave).start()
    crowd(10.0, server=1).wait()()


def test_a_process_that_is_killed_gives_its_place_back(crowd, tmp_path):
    two = crowd(server=2)
    two.enter()()  # makes the file
    with subprocess.Popen([sys.executable, "-c", HOLDS, two.file], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        leave = two.enter()
        with pytest.raises(BusyError):
            two.enter()
        other.send_signal(signal.SIGKILL)
    two.enter()()
    leave()
    assert [(each.name, each.stat().st_size) for each in (tmp_path / "run").iterdir()] == [("turns", 0)]


def test_no_descriptor_is_left(crowd):
    one = crowd(server=1)
    before = len([*Path("/proc/self/fd").iterdir()])
    for _time in range(20):
        leave = one.enter()
        with pytest.raises(BusyError):
            one.enter()
        leave()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


@pytest.mark.parametrize("what", ["directory", "link", "fifo", "no directory"])
def test_a_disk_that_has_no_places_stops_nobody(tmp_path, what):
    file, told = tmp_path / "turns", []
    if what == "directory":
        file.mkdir()
    elif what == "link":
        file.symlink_to(tmp_path / "elsewhere")
    elif what == "fifo":
        os.mkfifo(file)
    else:
        (tmp_path / "file").touch()
        file = tmp_path / "file" / "turns"
    crowd = Crowd(str(file), (Group("server", 1, "full"),), 0, told.append)
    for _request in range(2):
        crowd.enter()()
    if what != "fifo":  # which can be locked as any file
        assert len(told) == 2
        assert "requests at once do not hold" in told[0]
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The examples."""
    root = tmp_path_factory.mktemp("turns") / "root"
    make_root(root, "Test")
    return open_site(root)


def names(config, chain, address: str) -> list[tuple[str, int, str]]:
    """The groups of a request."""
    return [(each.name, each.most, each.kind) for each in crowd_of(config, chain, address).groups]


def test_a_request_belongs_to_its_address_its_source_and_the_server(site):
    found = site["Examples/Random"].definition
    bounded = replace(found, limits=replace(found.limits, at_once=3))
    assert names(site.config, [bounded], "2001:db8::1") == [
        ("address 2001:db8::1", 16, "busy.rate"),
        ("source examples/random", 3, "busy.limit"),
        ("server", 64, "busy.limit"),
    ]
    assert [each[0] for each in names(site.config, [bounded], "")] == ["source examples/random", "server"]


def test_a_view_takes_a_place_of_what_it_shows(site):
    base = site["Examples/Random"].definition
    view = replace(base, id="Examples/View")
    bounded = replace(base, limits=replace(base.limits, at_once=1))
    assert ("source examples/random", 1, "busy.limit") in names(site.config, [view, bounded], "")
    plan = site.request(base.id, [("time", "2017-01-01/2017-01-02")]).plan()
    assert [each.name for each in plan.crowd("::1").groups] == ["address ::1", "server"]


def test_where_nothing_is_limited_nothing_is_touched(site, tmp_path):
    config = replace(site.config, limit_at_once=0, limit_at_once_each=0, root=tmp_path)
    crowd = crowd_of(config, [site["Examples/Random"].definition], "192.0.2.1")
    crowd.wait()()
    assert crowd.groups == ()
    assert not list(tmp_path.iterdir())
