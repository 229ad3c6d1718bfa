# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks are handed over as files: once each, whole, quickly, and without ever failing whoever asks for them."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.config import read_config
from dasflex_core.roots import make_root
from dasflex_core.tasks import Spool, Task, background, hand_over

TEXT = st.text(max_size=40)
SIMPLE = frozenset(string.ascii_lowercase + string.digits + "-")
CHECK = Task("check", {"source": "Examples/Waveform"})


@pytest.fixture
def config(tmp_path):
    """A site with background work."""
    made = make_root(tmp_path / "root", "Tasks", examples=False)
    text = made.file.read_text(encoding="utf-8")
    kept = [each for each in text.splitlines() if not each.startswith("WORK_QUEUE")]
    made.file.write_text("\n".join([*kept, "WORK_QUEUE_BROKER = redis", ""]), encoding="utf-8")
    return read_config(made.file)


@pytest.fixture
def spool(config):
    return Spool(config)


class TestTheIdOfATask:
    @given(TEXT, st.dictionaries(TEXT, TEXT, max_size=4))
    def test_can_be_the_name_of_a_file_whatever_the_arguments_are(self, server, arguments):
        identifier = Task("cache", arguments).id(server)
        assert set(identifier) <= SIMPLE
        assert len(identifier) < 200

    @given(st.dictionaries(TEXT, TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=3))
    def test_is_that_of_another_task_only_if_both_are_the_same(self, ours, theirs):
        assert (Task("cache", ours).id("a") == Task("cache", theirs).id("a")) == (ours == theirs)

    def test_does_not_depend_on_order_or_haste(self):
        turned = Task("cache", {"level": "1", "source": "A"}, front=True)
        assert turned.id("a") == Task("cache", {"source": "A", "level": "1"}).id("a")

    def test_is_another_one_at_another_server_and_for_another_kind(self):
        ids = {CHECK.id("a"), CHECK.id("b"), Task("cache", CHECK.arguments).id("a")}
        assert len(ids) == 3

    def test_is_the_same_in_every_process(self):
        assert CHECK.id("test") == "check-examples-waveform-lv27heariyovbgth"


class TestHandingOver:
    def test_what_is_handed_over_a_thousand_times_is_there_once(self, config, spool):
        for _each in range(1000):
            assert hand_over(config, [CHECK]) == ""
        assert spool.handed_over() == [CHECK.id(config.server_id)]

    def test_what_is_on_the_list_is_not_handed_over_again(self, config, spool):
        identifier = spool.put(CHECK)
        assert spool.take(identifier) == CHECK
        assert hand_over(config, [CHECK]) == ""
        assert spool.handed_over() == []

    @given(arguments=st.dictionaries(TEXT, TEXT, max_size=4), front=st.booleans())
    def test_a_task_is_taken_as_it_was_put(self, tmp_path_factory, arguments, front):
        made = make_root(tmp_path_factory.mktemp("any") / "root", "Tasks", examples=False)
        task = Task("cache", arguments, front)
        assert Spool(made).take(Spool(made).put(task)) == task

    def test_the_file_is_plain_json(self, config, spool):
        identifier = spool.put(CHECK)
        told = json.loads((config.cache_root / "work" / "new" / identifier).read_bytes())
        assert told == {"kind": "check", "arguments": {"source": "Examples/Waveform"}, "front": False}

    def test_many_at_once_leave_one_whole_file(self, config, spool):
        threads = [threading.Thread(target=hand_over, args=(config, [CHECK])) for _each in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert spool.handed_over() == [CHECK.id(config.server_id)]
        assert [each.name for each in (config.cache_root / "work" / "new").iterdir()] == spool.handed_over()

    def test_it_says_that_background_work_is_off(self, tmp_path):
        off = make_root(tmp_path / "off", "Tasks", examples=False)
        assert "WORK_QUEUE_BROKER is not set" in hand_over(off, [CHECK])
        assert not (off.cache_root / "work").exists()

    def test_it_says_that_nobody_has_worked_for_a_day(self, config, spool):
        spool.beat(ago=90_000)
        assert "dasflex_workd" in hand_over(config, [CHECK])
        assert spool.handed_over() == []

    def test_it_says_why_it_cannot_and_raises_nothing(self, config):
        config.cache_root.mkdir(parents=True, exist_ok=True)
        (config.cache_root / "work").write_text("a file where the folder should be")
        assert "no task can be handed over" in hand_over(config, [CHECK])

    def test_a_full_disk_leaves_nothing_behind(self, config, spool, monkeypatch):
        spool.beat()

        def full(_descriptor, _data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        assert "No space left" in hand_over(config, [CHECK])
        monkeypatch.undo()
        assert list((config.cache_root / "work" / "new").iterdir()) == []

    def test_it_imports_neither_a_client_of_redis_nor_the_queue_nor_numpy(self, config):
        code = (
            "import sys; from pathlib import Path; from dasflex_core.config import read_config; "
            "from dasflex_core.tasks import Task, hand_over; config = read_config(Path(sys.argv[1])); "
            "assert hand_over(config, [Task('check', {'source': 'A'})]) == ''; "
            "print([each for each in ('redis', 'rq', 'numpy', 'trio', 'socket', 'pickle') if each in sys.modules])"
        )
        done = subprocess.run(
            (sys.executable, "-c", code, str(config.file)), capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == "[]\n"


class TestTaking:
    def test_only_one_of_two_takes_a_task(self, config, spool):
        identifier = spool.put(CHECK)
        assert [Spool(config).take(identifier), Spool(config).take(identifier)] == [CHECK, None]

    def test_what_could_not_be_put_on_the_list_is_handed_over_again(self, spool):
        identifier = spool.put(CHECK)
        spool.take(identifier)
        spool.give_back(identifier)
        assert (spool.handed_over(), spool.taken()) == ([identifier], [])

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"kind": "check"}', '{"kind": "check", "arguments": 1}'])
    def test_a_file_that_is_no_task_is_removed(self, config, spool, text):
        identifier = spool.put(CHECK)
        (config.cache_root / "work" / "new" / identifier).write_text(text)
        assert spool.take(identifier) is None
        assert spool.handed_over() == spool.taken() == []

    def test_a_task_under_the_name_of_another_is_removed(self, config, spool):
        new = config.cache_root / "work" / "new"
        (new / spool.put(CHECK)).rename(new / "cache-another")
        assert spool.take("cache-another") is None
        assert spool.taken() == []

    def test_what_is_dropped_is_gone_and_may_be_dropped_again(self, spool):
        identifier = spool.keep(CHECK)
        assert spool.taken() == [identifier]
        spool.drop(identifier)
        spool.drop(identifier)
        assert spool.taken() == []
        assert spool.read(identifier) is None


class TestWhetherThereIsBackgroundWork:
    def test_it_is_off_where_it_is_not_configured(self, tmp_path):
        assert background(make_root(tmp_path / "off", "Tasks", examples=False)) == "off"

    def test_it_is_idle_where_nobody_ever_took_tasks(self, config):
        assert background(config) == "idle"
        hand_over(config, [CHECK])
        assert background(config) == "idle"

    def test_it_is_on_while_somebody_takes_tasks(self, config, spool):
        spool.beat()
        assert background(config) == "on"
        spool.beat(ago=200)
        assert background(config) == "idle"

    def test_a_clock_that_is_ahead_does_not_stop_it(self, config, spool):
        spool.beat(ago=-3600)
        assert background(config) == "on"
        assert spool.silence() == 0.0

    def test_before_the_first_worker_tasks_are_kept_for_a_day(self, config, spool):
        assert hand_over(config, [CHECK]) == ""
        assert 100 < spool.silence() < 3600
        beat = config.cache_root / "work" / "beat"
        long_ago = time.time() - 90_000
        os.utime(beat, (long_ago, long_ago))
        assert hand_over(config, [CHECK]) != ""
