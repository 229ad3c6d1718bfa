# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_websocd` as a process: in both places it may run, what signals do to it, and what it tells its managers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.integration
PROGRAM = [sys.executable, "-m", "dasflex_ws"]
LIVE = "Lab/Device/flexRT?read.time.min=now&read.time.max=forever"
HANDSHAKE = "GET /dasws/{} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


def until(condition, seconds: float = 30.0):
    """What a condition gives once it is true; fails where that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def close_code(connection) -> int:
    """The code with which a connection is closed in the end."""
    with suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=30)
    return connection.protocol.close_code


class Daemon:
    """A daemon in the foreground of a process of its own."""

    def __init__(self, config: Path, *options: str, program=PROGRAM, **more) -> None:
        self.process = subprocess.Popen(
            [*program, "-c", str(config), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        self.line = self.process.stdout.readline()
        assert self.line.startswith("Serving "), self.process.communicate(timeout=20)
        self.url = self.line.split()[3]

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def config(device) -> Path:
    """The configuration of a root with a live source, whose daemon listens at any port."""
    return device.root / "etc" / "dasflex.conf"


@pytest.fixture
def started(config):
    """Starts daemons, and ends what is left of them."""
    made = []

    def start(*options: str, **more) -> Daemon:
        daemon = Daemon(config, *(options or ("127.0.0.1", "0")), **more)
        made.append(daemon)
        return daemon

    yield start
    for each in made:
        each.close()


def run(config: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    return subprocess.run(
        [*PROGRAM, "-c", str(config), *options], capture_output=True, text=True, check=False, timeout=60
    )


def readers(device) -> list[psutil.Process]:
    """The readers that run."""
    return [each for line in device.starts if (each := alive(int(line.split()[0]))) is not None]


def alive(pid: int) -> psutil.Process | None:
    """A process, unless it has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    return None


class TestForeground:
    @pytest.mark.parametrize(
        "options", [("127.0.0.1", "{}"), ("-i", "127.0.0.1", "-p", "{}"), ("127.0.0.1", "-p", "{}"), ("127.0.0.1", "{}", "-p", "{}")]
    )  # fmt: skip
    def test_both_spellings_of_the_place(self, started, device, options):
        port = free_port()
        daemon = started(*(each.format(port) for each in options))
        assert f"ws://127.0.0.1:{port}/dasws/" in daemon.line
        assert str(device.root) in daemon.line
        with connect(daemon.url + LIVE, open_timeout=30) as connection:
            assert connection.recv(timeout=30)

    @pytest.mark.parametrize("options", [("localhost", "-i", "127.0.0.1"), ("localhost", "8080", "-p", "8081")])
    def test_a_place_that_is_given_twice_is_an_error(self, config, options):
        done = run(config, *options)
        assert done.returncode == 2
        assert "given twice" in done.stderr

    def test_the_configuration_says_where(self, started, config):
        port = free_port()
        config.write_text(f'WEBSOCKET_IFACE = "127.0.0.1"\nWEBSOCKET_PORT = "{port}"\n')
        assert started("--level", "error").port == port

    def test_a_port_in_use_is_one_line_and_the_code_of_its_family(self, config):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run(config, "127.0.0.1", str(taken.getsockname()[1]))
        assert done.returncode == 6
        assert len(done.stderr.splitlines()) == 1
        assert "cannot be listened on: Address already in use" in done.stderr

    def test_it_may_open_as_many_files_as_it_is_allowed(self, started):
        daemon = started(preexec_fn=lambda: lower_limit(300, 1000))
        assert psutil.Process(daemon.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (1000, 1000)


def lower_limit(soft: int, hard: int) -> None:
    """Lets the process that is about to be started open few files."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_one_to_stop_ends_clients_readers_and_daemon(self, started, device, number):
        daemon = started()
        with connect(daemon.url + LIVE, open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            assert len(readers(device)) == 1
            daemon.process.send_signal(number)
            assert close_code(connection) == 1001
        assert daemon.process.wait(timeout=30) == 0
        assert readers(device) == []
        assert "Traceback" not in daemon.process.stderr.read()

    def test_sigint_ends_it_although_a_shell_has_it_ignored(self, started):
        daemon = started(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        assert daemon.stop(signal.SIGINT) == 0

    def test_a_second_one_ends_it_at_once(self, started, device):
        daemon = started()
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
            connection.sendall(HANDSHAKE.format(LIVE).encode())
            assert connection.recv(12) == b"HTTP/1.1 101"  # and its close is never answered
            until(lambda: readers(device))
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert daemon.process.poll() is None
            assert daemon.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        until(lambda: not readers(device))

    def test_a_killed_daemon_leaves_no_reader(self, started, device):
        daemon = started()
        with connect(daemon.url + LIVE, open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            assert readers(device)
            daemon.process.kill()
        until(lambda: not readers(device))


class TestRenewal:
    def refused(self, daemon: Daemon) -> bool:
        """Whether a page of another origin may not connect."""
        try:
            with connect(daemon.url + LIVE, origin="http://other.example", open_timeout=30):
                return False
        except InvalidStatus as answer:
            return answer.response.status_code == 403

    def test_sighup_lets_new_requests_see_the_new_configuration(self, started, config):
        daemon = started()
        with connect(daemon.url + LIVE, origin="http://other.example", open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            config.write_text('WEBSOCKET_ORIGINS = "http://this.example"\n')
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: self.refused(daemon))
            assert connection.recv(timeout=30)  # who was there already stays

    def test_a_configuration_that_cannot_be_read_changes_nothing(self, started, config):
        daemon = started()
        config.write_text('WEBSOCKET_ORIGIN = "http://this.example"\n')
        daemon.process.send_signal(signal.SIGHUP)
        assert "WEBSOCKET_ORIGIN" in until(lambda: noted(daemon, "the new one cannot be read"))
        assert not self.refused(daemon)


def noted(daemon: Daemon, words: str) -> str:
    """The next line that a daemon writes to its log, which has these words."""
    line = daemon.process.stderr.readline()
    assert line, "it ended"
    return line if words in line else ""


@pytest.fixture
def background(config, tmp_path):
    """Starts daemons in the background, and ends what is left of them: what was printed, and the pid."""
    file = tmp_path / "websocd.pid"
    pids = []

    def start(*options: str) -> tuple[subprocess.CompletedProcess[str], int]:
        done = run(config, "127.0.0.1", str(free_port()), "-D", str(file), *options)
        pid = int(file.read_text()) if done.returncode == 0 else 0
        pids.append(pid)
        return done, pid

    yield start
    for pid in filter(None, pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def links(pid: int, *descriptors: int) -> list[str]:
    """The files that a process has open under some numbers."""
    return [str(Path(f"/proc/{pid}/fd/{each}").readlink()) for each in descriptors]


class TestBackground:
    def test_it_serves_when_its_parent_returns(self, background, config, tmp_path):
        done, pid = background()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        process = psutil.Process(pid)
        assert os.getsid(pid) not in (pid, os.getsid(0))
        assert process.cwd() == "/"
        assert links(pid, 0) == [os.devnull]
        log = config.parent.parent / "log" / "websocd.log"
        assert links(pid, 1, 2) == [str(log), str(log)]
        assert "\nUmask:\t0022\n" in Path(f"/proc/{pid}/status").read_text()
        port = int(re.search(r"ws://127.0.0.1:(\d+)/", log.read_text())[1])
        with connect(f"ws://127.0.0.1:{port}/dasws/{LIVE}", open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            os.kill(pid, signal.SIGINT)
            assert close_code(connection) == 1001
        until(lambda: alive(pid) is None)
        assert not (tmp_path / "websocd.pid").exists()

    def test_a_second_one_is_refused_while_the_first_lives(self, background):
        _, pid = background()
        done, _ = background("--level", "error")
        assert done.returncode == 7
        assert f"runs already, as process {pid}" in done.stderr
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: alive(pid) is None)
        assert background()[0].returncode == 0  # the killed one has left its file

    @pytest.mark.parametrize(
        "text", [str(os.getpid()), "4194305", "", "nonsense"], ids=["ours", "none", "empty", "text"]
    )
    def test_a_stale_file_is_replaced_whatever_process_has_its_number(self, background, tmp_path, text):
        (tmp_path / "websocd.pid").write_text(text)
        done, pid = background()
        assert done.returncode == 0
        assert alive(pid)
        assert pid != os.getpid()

    def test_one_that_cannot_listen_says_so_and_leaves_no_file(self, config, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run(config, "127.0.0.1", str(taken.getsockname()[1]), "-d", str(tmp_path / "pid"))
        assert done.returncode == 6
        assert "cannot be listened on" in done.stderr
        assert not (tmp_path / "pid").exists()

    def test_one_without_a_log_says_so_and_leaves_no_file(self, config, tmp_path):
        (config.parent.parent / "log" / "websocd.log").mkdir()
        done = run(config, "127.0.0.1", "0", "-D", str(tmp_path / "pid"))
        assert done.returncode == 6
        assert "websocd.log cannot be written: Is a directory" in done.stderr
        assert not (tmp_path / "pid").exists()

    def test_one_that_fails_in_the_background_says_so(self, config, tmp_path):
        """What fails after the fork: here it may start no process that would guard its readers."""
        code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)); sys.argv = ['x', *sys.argv[1:]]; runpy.run_module('dasflex_ws', run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-c", code, "-c", str(config), "127.0.0.1", "0", "-D", str(tmp_path / "pid")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode not in (0, 2)
        assert done.stderr
        assert "Traceback" not in done.stderr
        until(lambda: not (tmp_path / "pid").exists())

    def test_a_log_that_was_moved_away_is_opened_anew(self, background, config):
        log = config.parent.parent / "log" / "websocd.log"
        _, pid = background()
        assert "Serving" in log.read_text()
        log.rename(log.with_suffix(".old"))
        os.kill(pid, signal.SIGHUP)
        until(lambda: log.exists() and "read anew" in log.read_text())
        assert "read anew" not in log.with_suffix(".old").read_text()


class TestManager:
    @pytest.fixture
    def manager(self, tmp_path):
        """The socket of a service manager."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(tmp_path / "notify"))
            listener.settimeout(30)
            yield listener

    def environment(self, tmp_path, **more: str) -> dict[str, str]:
        return {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), **more}

    def test_it_hears_when_the_daemon_serves_reads_anew_and_ends(self, started, manager, tmp_path):
        daemon = started(env=self.environment(tmp_path))
        said = manager.recv(4096).decode().splitlines()
        assert said[:2] == ["READY=1", f"MAINPID={daemon.process.pid}"]
        assert daemon.url in said[2]
        daemon.process.send_signal(signal.SIGHUP)
        said = manager.recv(4096).decode().splitlines()
        assert said[0] == "RELOADING=1"
        assert re.fullmatch(r"MONOTONIC_USEC=\d+", said[1])
        assert manager.recv(4096).startswith(b"READY=1\n")
        assert daemon.stop() == 0
        assert manager.recv(4096).startswith(b"STOPPING=1\n")

    def test_it_gets_signs_of_life_when_it_wants_them(self, started, manager, tmp_path):
        started(env=self.environment(tmp_path, WATCHDOG_USEC="200000"))
        assert sorted(manager.recv(4096).partition(b"\n")[0] for _ in range(4)) == [b"READY=1", *[b"WATCHDOG=1"] * 3]

    @pytest.mark.usefixtures("manager")
    def test_readers_cannot_speak_for_the_daemon(self, started, device, tmp_path):
        daemon = started(env=self.environment(tmp_path, WATCHDOG_USEC="60000000"))
        with connect(daemon.url + LIVE, open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            [reader] = readers(device)
            assert {"NOTIFY_SOCKET", "WATCHDOG_USEC"}.isdisjoint(reader.environ())

    def test_sockets_that_it_passes_on_are_listened_on(self, started):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            passed = listener.getsockname()[1]
            code = (
                "import os, sys\nos.dup2(int(sys.argv[1]), 3)\nos.environ.update(LISTEN_FDS='1', "
                "LISTEN_PID=str(os.getpid()))\nos.execv(sys.executable, [sys.executable, '-m', 'dasflex_ws', *sys.argv[2:]])"
            )
            number = str(listener.fileno())
            daemon = started("-l", "error", program=[sys.executable, "-c", code, number], pass_fds=(listener.fileno(),))
        assert daemon.port == passed
        with connect(f"ws://127.0.0.1:{passed}/dasws/{LIVE}", open_timeout=30) as connection:
            assert connection.recv(timeout=30)


class TestStatus:
    def test_its_metrics_tell_who_watches(self, started):
        daemon = started("127.0.0.1", "0", "--status-port", "0")
        place = noted(daemon, "metrics are at ").split()[-1]

        def shown(*lines: str) -> bool:
            with urlopen(place, timeout=30) as answer:  # noqa: S310  the address is that of the daemon under test
                text = answer.read().decode().splitlines()
            return set(lines) <= set(text)

        assert shown("dasflex_ws_clients 0.0", "dasflex_ws_readers 0.0")
        with connect(daemon.url + LIVE, open_timeout=30), connect(daemon.url + LIVE, open_timeout=30):
            until(lambda: shown("dasflex_ws_clients 2.0", "dasflex_ws_watchers 2.0", "dasflex_ws_readers 1.0"))
        until(lambda: shown("dasflex_ws_clients 0.0", "dasflex_ws_watchers 0.0", "dasflex_ws_connections_total 2.0"))
        with pytest.raises(InvalidStatus), connect(f"{daemon.url}nothing/flexRT", open_timeout=30):
            pass
        assert shown('dasflex_ws_refusals_total{kind="not-found"} 1.0')


class TestEncryption:
    @pytest.fixture
    def certify(self, tmp_path):
        """Makes a certificate and its key, by the name of their files, and what trusts it."""
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("no openssl to make a certificate with")

        def make(name: str) -> ssl.SSLContext:
            subprocess.run(
                [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                 "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                 "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
                check=True, capture_output=True, timeout=30,
            )  # fmt: skip
            return ssl.create_default_context(cafile=tmp_path / "cert.pem")

        return make

    def test_it_speaks_tls_and_takes_a_new_certificate_on_sighup(self, started, certify, tmp_path):
        first = certify("first")
        daemon = started(
            "-i", "127.0.0.1", "-p", "0", "-s", "--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")
        )
        assert daemon.url.startswith("wss://")
        with connect(daemon.url + LIVE, ssl=first, open_timeout=30) as connection:
            assert connection.recv(timeout=30)
        second = certify("second")

        def renewed() -> bool:
            with suppress(ssl.SSLError), connect(daemon.url + LIVE, ssl=second, open_timeout=30):
                return True
            return False

        assert not renewed()
        daemon.process.send_signal(signal.SIGHUP)
        until(renewed)

    def test_relative_files_are_found_from_the_background(self, certify, config, tmp_path):
        certify("first")
        log = config.parent.parent / "log" / "websocd.log"
        options = ("-i", "127.0.0.1", "-p", "0", "--cert", "cert.pem", "--key", "key.pem", "-D", "pid")
        done = subprocess.run(
            [*PROGRAM, "-c", str(config), *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        pid = int((tmp_path / "pid").read_text())
        try:
            os.kill(pid, signal.SIGHUP)
            until(lambda: "read anew" in log.read_text())
        finally:
            os.kill(pid, signal.SIGTERM)
        until(lambda: not (tmp_path / "pid").exists())

    def test_the_configuration_may_say_so(self, started, certify, config, tmp_path):
        trusted = certify("configured")
        config.write_text(
            'WEBSOCKET_IFACE = "127.0.0.1"\nWEBSOCKET_SSL = "true"\n'
            f'WEBSOCKET_CERT = "{tmp_path}/cert.pem"\nWEBSOCKET_KEY = "{tmp_path}/key.pem"\n'
        )
        daemon = started("-p", "0")
        with connect(daemon.url + LIVE, ssl=trusted, open_timeout=30) as connection:
            assert connection.recv(timeout=30)

    def test_a_key_of_another_certificate_is_told(self, certify, config, tmp_path):
        certify("first")
        (tmp_path / "key.pem").rename(tmp_path / "other.pem")
        certify("second")
        done = run(config, "127.0.0.1", "0", "--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "other.pem"))
        assert done.returncode == 6
        assert "the key is not that of the certificate" in done.stderr

    def test_without_a_certificate_there_is_no_tls(self, config):
        done = run(config, "127.0.0.1", "0", "--ssl")
        assert done.returncode == 6
        assert "TLS needs a certificate" in done.stderr
