# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_websocd --check`: each thing that would keep a daemon from serving is found, and nothing else is said."""

from __future__ import annotations

import os
import resource
import socket

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_ws import checking
from dasflex_ws.checking import findings
from dasflex_ws.daemon import websocd
from dasflex_ws.options import Options


@pytest.fixture
def config(device, free_port):
    """The configuration of a root with a live source; its daemon would listen at a free port."""
    path = device.root / "etc" / "dasflex.conf"
    path.write_text(f'WEBSOCKET_IFACE = "127.0.0.1"\nWEBSOCKET_PORT = "{free_port()}"\nWEBSOCKET_CONNECTIONS = "100"\n')
    dasflex_core.open(path)  # the manifest is made anew for it, once
    return path


def add(config, line: str) -> None:
    """Adds a line to a configuration."""
    config.write_text(f"{config.read_text()}{line}\n")


def found(config, **options) -> list[str]:
    """What is found, as lines."""
    dasflex_core.open(config)
    return [str(each) for each in findings(dasflex_core.open(config), Options(**options))]


def test_where_all_is_well_nothing_is_said(config):
    assert found(config) == []
    done = CliRunner().invoke(websocd, ["-c", str(config), "--check"])
    assert (done.exit_code, done.output) == (0, "")


def test_the_exit_code_says_that_something_is_wrong(config):
    add(config, 'WEBSOCKET_SSL = "true"')
    done = CliRunner().invoke(websocd, ["-c", str(config), "--check"])
    assert done.exit_code == 1
    [line] = [line for line in done.output.splitlines() if "manifest" not in line]
    assert line.startswith("WEBSOCKET_CERT: TLS needs a certificate")


def test_a_warning_changes_no_exit_code(config):
    done = CliRunner().invoke(websocd, ["0.0.0.0", "-c", str(config), "--check"])  # noqa: S104  it is not listened on
    assert done.exit_code == 0
    assert "WEBSOCKET_SSL: warning: passwords pass in clear to 0.0.0.0" in done.output


def test_a_port_in_use(config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert found(config, number=port) == [
            f"WEBSOCKET_PORT: 127.0.0.1:{port} cannot be listened on: Address already in use"
        ]
        assert found(config, status=port) == [
            f"WEBSOCKET_STATUS_PORT: 127.0.0.1:{port} cannot be listened on: Address already in use"
        ]


def test_a_certificate_that_is_none(config, tmp_path):
    (tmp_path / "cert.pem").write_text("nonsense")
    [line] = found(config, cert=tmp_path / "cert.pem")
    assert line.startswith("WEBSOCKET_CERT: ")
    assert "no certificate with its key" in line
    assert "PEM, the key without a password" in line
    assert "_ssl" not in line
    [line] = found(config, cert=tmp_path / "nowhere.pem")
    assert "cannot be read: No such file" in line


def test_more_connections_than_files(config):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this machine has no limit of open files")
    config.write_text(config.read_text().replace('"100"', f'"{hard}"'))
    [line] = found(config)
    assert line.startswith(f"LimitNOFILE: this shell allows {hard:,} open files; WEBSOCKET_CONNECTIONS = {hard} needs")
    config.write_text(config.read_text().replace(f'"{hard}"', '"0"'))
    [line] = found(config)
    assert line.startswith("LimitNOFILE: warning: no more than ")


@pytest.mark.parametrize(
    ("loaded", "limit", "lines"),
    [("loaded", "300", 1), ("loaded", "1024", 0), ("loaded", "infinity", 0), ("not-found", "300", 0)],
)
def test_the_limit_of_an_installed_unit(config, tmp_path, monkeypatch, loaded, limit, lines):
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "LoadState={loaded}"\necho "LimitNOFILE={limit}"\necho "$@" > {tmp_path}/asked\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    said = found(config)
    assert len(said) == lines
    assert (
        (tmp_path / "asked")
        .read_text()
        .strip()
        .endswith(f"{dasflex_core.open(config).config.server_id}-websocd.service")
    )
    if lines:
        assert said[0].startswith("dasflex-websocd.service: the unit allows 300 open files")


def test_a_log_that_cannot_be_written(config, device, monkeypatch):
    monkeypatch.setattr(
        checking.os, "access", lambda place, _mode: place != device.root / "log"
    )  # a fault; root may all
    assert [line.split(":")[0] for line in found(config)] == ["LOG_PATH"]


def test_a_file_in_place_of_a_directory(config, device):
    add(config, 'LOG_PATH = "elsewhere"')
    (device.root / "elsewhere").write_text("")
    assert any("is no directory" in line for line in found(config))


def test_a_source_that_cannot_be_read(config, device):
    site = dasflex_core.open(config)
    [entry] = site.catalog.entries()
    (device.root / "sources" / entry.file).write_text("{")
    assert any(line.startswith("Lab/Device: ") for line in found(config))
