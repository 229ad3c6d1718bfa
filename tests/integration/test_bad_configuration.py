# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations and definitions that are wrong are told by file, line and key; a full disk fails no request."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import ConfigError

pytestmark = pytest.mark.integration

DAY = slice("2020-01-01", "2020-01-02")
WAYS = ("das2", "csv", "das3", "read")


# -- disks


@pytest.mark.parametrize("place", ["/dev/full", "/proc/nothing", "etc/dasflex.conf"])
def test_a_log_that_cannot_be_written_fails_no_request(own, caplog, place, ask):
    with own.conf.open("a") as file:
        file.write(f'LOG_PATH = "{place}"\n')
    site = dasflex_core.open(own.root)
    for way in WAYS:
        with caplog.at_level(logging.WARNING, "dasflex"):
            ask(site["Good"][DAY], way)
        assert "the record of request" in caplog.text
        assert "cannot be written" in caplog.text
        caplog.clear()


FULL = """
import resource, sys, dasflex_core
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
site = dasflex_core.open(sys.argv[1])
request = site["Good"]["2020-01-01":"2020-01-02"]
print(len(b"".join(request.plan().run())), len(b"".join(request.ask(format_type="csv").plan().run())))
print(len(request.read().only["time"]))
try:
    request.save(sys.argv[1] + "/saved.csv")
except OSError as error:
    print(error.errno)
"""


def test_a_full_disk_fails_no_request_and_leaves_no_partial_file(own):
    """A process that may write no byte into any file stands for a disk on which there is no room."""
    (own.root / "etc" / "manifest.json").unlink()
    done = subprocess.run([sys.executable, "-c", FULL, str(own.root)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["3535", "2505", "100", str(errno.EFBIG)], done.stderr
    assert done.stderr.count("cannot be written") == 4
    assert list((own.root / "log" / "requests").iterdir()) == []
    assert [each for each in own.files() if each.name.endswith((".part", ".partial")) or "manifest" in each.name] == []


# -- configuration


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('LOG_PAHT = "log"\n', "config.unknown-key", r"dasflex\.conf:\d+: LOG_PAHT: there is no key LOG_PAHT\. Did you mean LOG_PATH"),
        ("X" * 90_000 + ' = "1"\n', "config.unknown-key", "there is no key X+"),
        ("this is prose\n", "config.unreadable", r"dasflex\.conf:\d+: this is no line of the form KEY = "),
        ('LOG_PATH = "log\n', "config.unreadable", "the quotes of this value do not match"),
        ('LOG_PATH = "l\0g"\n', "config.unreadable", "LOG_PATH: the value holds a NUL"),
        ('WEBSOCKET_PORT = "99999"\n', "config.bad-value", "'99999' is no port: a number from 1 to 65535"),
        ('LOG_PATH = "a"\nLOG_PATH = "b"\n', "config.bad-value", r"LOG_PATH: is set in line \d+ already"),
    ],
)  # fmt: skip
def test_a_fault_of_the_configuration_is_told_with_its_line(own, text, kind, says):
    with own.conf.open("a") as file:
        file.write(text)
    with pytest.raises(ConfigError, match=says) as caught:
        dasflex_core.open(own.root)
    assert caught.value.kind == kind
    assert str(own.conf) in caught.value.message


def _as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _as_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _as_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (Path.unlink, "No such file or directory. `dasflex root DIR NAME` makes a new root"),
        (_as_directory, "it is no plain file"),
        (_as_pipe, "it is no plain file"),
        (_as_device, "it is no plain file"),
        (_as_loop, "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"\xff\xfe\0"), "this is not UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * (2 << 20)), "too large for a configuration file"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(own, spoil, says):
    spoil(own.conf)
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        dasflex_core.open(own.root)
    assert caught.value.kind == "config.unreadable"
    assert str(own.conf) in caught.value.message


@pytest.mark.parametrize("place", ["/no/such/root", "/dev/full", "a\0b"])
def test_a_root_that_is_none_is_named(place):
    with pytest.raises(ConfigError, match=r"the configuration cannot be read") as caught:
        dasflex_core.open(place)
    assert caught.value.kind == "config.unreadable"


def test_an_unknown_key_of_a_definition_leaves_what_was_installed(own, ask):
    file = own.root / "definitions" / "Good" / "source.toml"
    file.write_text(file.read_text() + "[limits]\nsilense = '1 s'\n")
    report = compile_tree(own.root)
    assert [(each.kind, each.place.key) for each in report.findings] == [("config.unknown-key", "limits.silense")]
    assert "Did you mean silence?" in report.findings[0].message
    assert str(file) in str(report.findings[0])
    assert report.kept == ("Good",)
    assert len(ask(dasflex_core.open(own.root)["Good"][DAY])) == 3535
