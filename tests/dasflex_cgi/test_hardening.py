# SPDX-License-Identifier: GPL-3.0-or-later
"""The snippets for Apache of the page on hardening do what it says, with a real Apache."""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from dasflex_core.config import read_config
from dasflex_passwd import users

pytestmark = pytest.mark.integration

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "howto" / "harden-the-server.md"
SNIPPET = re.compile(r"^```apache\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DAY = "time=2020-01-01/2020-01-02"
DATA = f"source/closed/data.csv?{DAY}"
CLOSED = """
title    = "Closed"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
access   = { realm = "Team", allow = ["user:anna"] }
"""
#: What stands in the place of OpenID Connect, for which there is no provider here: another way to log in at Apache.
LOG_IN = """
<Location "/source/team/">
  AuthType Basic
  AuthName "Log-in at Apache"
  AuthUserFile {file}
  AuthBasicProvider file
  Require valid-user
</Location>
"""
MODULES = "ratelimit reqtimeout headers ssl socache_shmcb proxy_scgi setenvif authz_host authz_user auth_basic authn_core authn_file"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def snippets() -> list[str]:
    """The snippets of the page but that of a module that does not come with Apache."""
    return [each for each in SNIPPET.findall(PAGE.read_text(encoding="utf-8")) if "auth_openidc" not in each]


@dataclass(frozen=True)
class Front:
    """An Apache that is set up as the page says, and the server behind it."""

    plain: int
    tls: int
    server: int

    def get(self, path: str, port: int = 0, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """The answer to a request, read."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=30, context=context)
        connection.request(method, f"/{path}", headers={"Host": "data.example.edu", **named})
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate of nobody, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = [folder / "cert.pem", folder / "key.pem"]
    how = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=data.example.edu", "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(["openssl", "req", *how, *names], check=True, capture_output=True, timeout=30)
    return made[0], made[1]


@pytest.fixture
def front(apache, serving, bare, certificate, tmp_path, free_port):
    """Starts a server, and an Apache in front of it with all that the page says, each text changed as asked."""
    for name in ("closed", "team"):  # one where Apache asks for nothing, and one where users log in there
        bare.add(name, "headers(); records(100)", CLOSED)
    if os.geteuid() == 0:  # Apache runs as another then, who may use the socket as a member of its group
        os.chown(bare.root / "run", -1, 33)
        (bare.root / "run").chmod(0o2750)
    users.add_user(read_config(Path(bare.config)), "anna", "correct horse")

    def start(*changes: tuple[str, str], proxies: str = "127.0.0.1") -> Front:
        if proxies:
            with Path(bare.config).open("a", encoding="utf-8") as config:
                config.write(f'REMOTE_USER_PROXIES = "{proxies}"\n')
        server = serving("--port", "0", "--config", bare.config)
        behind = int(server.base.rstrip("/").rpartition(":")[2])
        ports = [free_port() for _ in range(3)]
        text = "\n".join(snippets())
        program = Path(sys.executable).with_name("dasflex_cgimain")
        if not program.exists():
            program = tmp_path / "dasflex_cgimain"
            code = "import sys\nfrom dasflex_cgi.cgimain import main\nsys.exit(main())\n"
            program.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
            program.chmod(0o755)
        known = tmp_path / "known"  # by a digest that every Apache knows
        digest = base64.b64encode(_sha1(b"at apache")).decode()
        known.write_text(f"anna:{{SHA}}{digest}\nben:{{SHA}}{digest}\n", encoding="utf-8")
        for old, new in (
            ("/opt/dasflex/bin/dasflex_cgimain", str(program)),
            ("/srv/dasflex", str(bare.root)),
            ("/stream", "/own"),
            ("*:443", f"127.0.0.1:{ports[1]}"),
            ("*:80", f"127.0.0.1:{ports[2]}"),
            ("127.0.0.1:8080", f"127.0.0.1:{behind}"),
            ("/etc/ssl/certs/data.example.edu.pem", str(certificate[0])),
            ("/etc/ssl/private/data.example.edu.key", str(certificate[1])),
            *changes,
        ):
            assert old in text, old
            text = text.replace(old, new)
        text = f"Listen 127.0.0.1:{ports[1]}\nListen 127.0.0.1:{ports[2]}\n{text}{LOG_IN.format(file=known)}"
        apache(bare.root, port=ports[0], more=text, modules=MODULES)
        return Front(ports[0], ports[1], behind)

    return start


def _sha1(data: bytes) -> bytes:
    """A digest of the kind that a password file of Apache may hold."""
    import hashlib

    return hashlib.sha1(data, usedforsecurity=False).digest()


def test_the_page_has_the_snippets_that_are_tested():
    text = "\n".join(snippets())
    for each in ("CGIPassAuth On", "RequestReadTimeout", "X-Remote-User", "Strict-Transport-Security", "scgi://"):
        assert each in text
    assert PAGE.read_text(encoding="utf-8").count("```apache") == len(snippets()) + 1


def test_who_has_logged_in_at_apache_is_believed_and_who_says_so_is_not(front):
    served = front()
    assert served.get(DATA).status == 401
    assert served.get(DATA, X_Remote_User="anna").status == 401
    assert served.get(DATA, x_remote_user="anna").status == 401
    team = DATA.replace("closed", "team")
    logged_in = served.get(team, Authorization=basic("anna", "at apache"))
    assert logged_in.status == 200
    assert logged_in.body.count(b"2020-01-01T") == 100
    assert served.get(team, Authorization=basic("ben", "at apache"), X_Remote_User="anna").status == 403
    assert served.get(DATA.replace("closed", "TEAM"), X_Remote_User="anna").status == 401  # for Apache another place
    # Who reaches the server without Apache, from an address that is believed, can be anybody: the page says so.
    assert served.get(DATA, port=served.server, X_Remote_User="anna").status == 200


def test_without_the_two_lines_a_forged_name_would_be_believed(front):
    """The proof that the test above can fail."""
    served = front(
        ("RequestHeader unset X-Remote-User early", ""), ('RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"', "")
    )
    assert served.get(DATA, X_Remote_User="anna").status == 200


def test_tls_is_asked_for_and_stays(front):
    served = front()
    answer = served.get("id.txt")
    assert answer.status == 200
    assert answer.getheader("Strict-Transport-Security") == "max-age=31536000"
    assert "Apache/" not in answer.getheader("Server", "")
    assert served.get("id.txt", method="TRACE").status == 405
    assert served.get("x?" + "x" * 9000).status == 414


@pytest.mark.parametrize("place", ["own", "served"], ids=["CGI", "SCGI"])
def test_credentials_reach_dasflex_and_names_come_from_apache_alone(front, place):
    served = front(proxies="")
    path = f"{place}/{DATA}"
    assert served.get(path, port=served.plain).status == 401
    right = served.get(path, port=served.plain, Authorization=basic("anna", "correct horse"))
    assert right.status == 200
    assert right.body.count(b"2020-01-01T") == 100
    assert served.get(path, port=served.plain, Authorization=basic("anna", "wrong")).status == 401
    assert served.get(f"{place}/source/a%2Fb%20c%C3%A9", port=served.plain).status == 404
    for forged in ({"X_Remote_User": "anna"}, {"Remote_User": "anna"}, {"REMOTE_USER": "anna"}):
        assert served.get(path, port=served.plain, **forged).status == 401, forged


def test_without_its_line_no_program_sees_credentials(front):
    served = front(("CGIPassAuth On", ""), proxies="")
    answer = served.get(f"own/{DATA}", port=served.plain, Authorization=basic("anna", "correct horse"))
    assert answer.status == 401


def test_who_sends_a_head_slowly_is_cut_off(front):
    served = front(("header=10-20", "header=1-2"))
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.plain), timeout=20) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: data.example.edu\r\nX-Slow: ")
        got = b""
        try:
            while piece := slow.recv(4096):
                got += piece
        except ConnectionResetError:
            pass
    assert time.monotonic() - begun < 8
    assert got == b"" or b" 408 " in got.partition(b"\r\n")[0]


def test_the_program_for_suexec_is_the_one_that_apache_would_start(bare):
    """It answers although all that suexec lets through is what it lets through."""
    [code] = re.findall(r"^```python\n#!.*?\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    program = code.replace("/srv/dasflex", str(bare.root))
    environ = {
        "PATH": os.environ["PATH"],
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/id.txt",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True, timeout=60)
    assert run.stdout.startswith(b"Status: 200")
    assert run.stdout.endswith(b"Bare")


def test_a_server_says_which_files_are_too_open(serving, bare):
    (bare.root / "etc" / "passwd").chmod(0o644)
    server = serving("--port", "0", "--config", bare.config)
    server.stop()
    assert f"note: {bare.root}/etc/passwd: others may read it" in server.process.stderr.read()
