# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration file is read as typed values, or says at once all that is wrong with it, with lines and the nearest keys."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.config import KEYS, Config, config_file, external_stages, read_config
from dasflex_core.errors import ConfigError


def written(root: Path, text: str) -> Path:
    """A configuration file in a root."""
    file = root / "etc" / "dasflex.conf"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def fault(root: Path, text: str) -> ConfigError:
    """The error of a configuration."""
    with pytest.raises(ConfigError) as caught:
        read_config(written(root, text))
    return caught.value


def test_an_empty_file_is_a_configuration_of_defaults(tmp_path):
    config = read_config(written(tmp_path, ""))
    assert config.root == tmp_path
    assert config.log_path == tmp_path / "log"
    assert config.websocket_port == 52242
    assert config.enable_hapi_subsys
    assert not config.allow_test_from
    assert config.work_queue_broker == ""
    assert config.remarks == ()


def test_each_key_is_a_field_and_each_field_a_key():
    own = {each.name for each in fields(Config)} - {"root", "file", "remarks"}
    assert own == {name.lower() for name in KEYS}


def test_each_key_says_what_it_means_and_its_default_is_a_value_of_its_type(tmp_path):
    assert all(key.title and key.chapter for key in KEYS.values())
    lines = "".join(f"{name} = {key.shown}\n" for name, key in KEYS.items())
    stated, silent = read_config(written(tmp_path, lines)), read_config(written(tmp_path, ""))
    assert stated == silent


def test_the_reference_tells_the_default_of_each_key():
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "configuration.md"
    rows = [line.split("|") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = {row[1].strip(" `"): row[3].strip(" `") for row in rows}
    assert told == {name: key.default for name, key in KEYS.items()}


def test_values_have_their_types_and_keys_no_case(tmp_path):
    config = read_config(
        written(
            tmp_path,
            """
            # who
            server_name = "Test \\"Server\\" \\u00e9"   # a comment
            Server_ID = 'test-server'
            BIN_PATH = "bin:/opt/bin"
            LOG_PATH = "/var/log/dasflex"
            ENABLE_HAPI_SUBSYS = false
            WEBSOCKET_PORT = 4242
            ALLOW_TEST_FROM = "129.255/16, 10.1.2.3 ::1"
            WORK_QUEUE_BROKER = "redis"
            CONTACT_EMAIL = "me&#64;example.org"
            """,
        )
    )
    assert config.server_name == 'Test "Server" é'
    assert config.server_id == "test-server"
    assert config.bin_path == (tmp_path / "bin", Path("/opt/bin"))
    assert config.log_path == Path("/var/log/dasflex")
    assert not config.enable_hapi_subsys
    assert config.websocket_port == 4242
    assert [str(each) for each in config.allow_test_from] == ["129.255.0.0/16", "10.1.2.3/32", "::1/128"]
    assert ip_address("129.255.7.7") in config.allow_test_from[0]
    assert config.work_queue_broker == "redis"
    assert config.contact_email == "me&#64;example.org"
    assert config.remarks == ()


def test_a_value_without_quotes_is_understood_and_said(tmp_path):
    file = written(tmp_path, "SERVER_NAME = Old Server   # from long ago\nSITE_URL = http://x.example/#top\n")
    config = read_config(file)
    assert config.server_name == "Old Server"
    assert config.site_url == "http://x.example/#top"
    assert f'{file}:1: SERVER_NAME: write the value in quotes: SERVER_NAME = "Old Server"' in config.remarks


def test_an_unknown_key_is_named_with_its_line_and_the_nearest(tmp_path):
    error = fault(tmp_path, '\nSEVRER_NAME = "x"\n')
    assert error.kind == "config.unknown-key"
    assert f"{tmp_path}/etc/dasflex.conf:2: SEVRER_NAME" in error.message
    assert "Did you mean SERVER_NAME" in error.message


def test_an_unknown_key_with_nothing_near_points_to_the_list(tmp_path):
    assert "listed in the reference" in fault(tmp_path, 'XYZZY = "x"').message


@pytest.mark.parametrize(
    "key", ["HANDLE_HTTP", "D2S_REDUCER", "QDS_TO_CDF", "MODULE_PATH", "DAS1_TO_DAS2", "DAS_TO_PNG"]
)
def test_the_replaced_keys_of_older_servers_are_accepted_and_say_what_replaces_them(tmp_path, key):
    [remark] = read_config(written(tmp_path, f'{key} = "old"\n')).remarks
    assert f":1: {key}: has no effect any more" in remark
    assert "plugins" in remark


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('WEBSOCKET_PORT = "high"', "no port"),
        ('WEBSOCKET_PORT = "70000"', "no port"),
        ('SERVER_ID = "My Server"', "no identifier"),
        ('ENABLE_VERIFIER = "perhaps"', "neither true nor false"),
        ('ALLOW_TEST_FROM = "129.255/99"', "no range of addresses"),
        ('ALLOW_TEST_FROM = "everybody"', "no range of addresses"),
        ('WORK_QUEUE_BROKER = "celery"', "no broker"),
    ],
)
def test_a_bad_value_is_named_with_what_would_be_right(tmp_path, line, words):
    error = fault(tmp_path, line)
    assert error.kind == "config.bad-value"
    assert f":1: {line.split()[0]}: " in error.message
    assert words in error.message


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    error = fault(tmp_path, 'SERVER_ID = "A B"\nNONSENSE\nSITE_TITLE = "a"\nSITE_TITLE = "b"\nX_Y = "open\n')
    assert error.message.count("dasflex.conf:") == 4
    assert ":2: this is no line of the form" in error.message
    assert ":4: SITE_TITLE: is set in line 3 already" in error.message
    assert ":5: X_Y: the quotes of this value do not match" in error.message


@pytest.mark.parametrize("written_value", [r'"C:\new"', r'"\ud800"', r'"\q"'])
def test_a_bad_escape_is_an_error_or_its_character(tmp_path, written_value):
    file = written(tmp_path, f"SITE_TITLE = {written_value}")
    if written_value == r'"C:\new"':
        assert read_config(file).site_title == "C:\new"
    else:
        assert "SITE_TITLE" in fault(tmp_path, f"SITE_TITLE = {written_value}").message


def test_a_blank_value_is_the_default_where_a_value_must_be_and_nothing_elsewhere(tmp_path):
    config = read_config(written(tmp_path, 'LOG_PATH = ""\nALLOW_VALIDATE_FROM = ""\nWEBSOCKET_PORT = ""\n'))
    assert config.log_path == tmp_path / "log"
    assert config.allow_validate_from == ()
    assert config.websocket_port == 52242


@pytest.mark.parametrize("make", ["missing", "directory", "binary", "huge"])
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path, make):
    file = tmp_path / "etc" / "dasflex.conf"
    file.parent.mkdir()
    if make == "directory":
        file.mkdir()
    elif make == "binary":
        file.write_bytes(b"\xff\xfe\x00")
    elif make == "huge":
        file.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    assert caught.value.kind == "config.unreadable"
    assert str(file) in caught.value.message


def test_a_root_and_its_file_mean_the_same(tmp_path):
    file = written(tmp_path, "")
    assert config_file(tmp_path) == config_file(file) == file


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_makes_it_fail_otherwise_than_by_a_config_error(text, tmp_path_factory):
    file = written(tmp_path_factory.getbasetemp(), text)
    with suppress(ConfigError):
        read_config(file)


@settings(max_examples=50, deadline=None)
@given(value=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=40))
def test_a_quoted_value_is_what_was_written(value, tmp_path_factory):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    file = written(tmp_path_factory.getbasetemp(), f'SITE_TITLE = "{quoted}" # "comment"\n')
    assert read_config(file).site_title == value.strip()


def test_reading_a_configuration_imports_nothing_heavy(tmp_path):
    file = written(tmp_path, 'SERVER_NAME = "x"\n')
    code = (
        "import sys; from pathlib import Path; from dasflex_core.config import read_config; "
        f"read_config(Path({str(file)!r})); "
        "print([name for name in ('tomllib', 'pluggy', 'click', 'numpy', 'json', 'werkzeug') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == "[]"


def test_a_root_without_filters_of_its_own_has_none(tmp_path):
    assert external_stages(read_config(written(tmp_path, ""))) == ()


def test_the_filters_of_a_site_are_read_as_those_of_a_definition(tmp_path):
    config = read_config(written(tmp_path, ""))
    (tmp_path / "etc" / "stages.toml").write_text(
        '[[stage]]\ncommand = "/opt/bin/peaks --width=#[bin.time.max]"\naccepts = "das/2"\nwrites = "das/2"\n',
        encoding="utf-8",
    )
    [stage] = external_stages(config)
    assert (stage.name, stage.accepts, stage.writes) == ("peaks", "das/2", "das/2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[stage]\n", "stages.toml:1"),
        ('[[stage]]\ncomand = "x"\naccepts = "das/2"\n', "comand"),
        ('[[stage]]\ncommand = "x"\n', "accepts"),
        ('[reader]\ncommand = "x"\n', "reader"),
    ],
)
def test_what_is_wrong_with_the_filters_is_named(tmp_path, text, words):
    config = read_config(written(tmp_path, ""))
    (tmp_path / "etc" / "stages.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        external_stages(config)
    assert words in caught.value.message
    assert "stages.toml" in caught.value.message


def test_a_count_is_a_whole_number(tmp_path):
    assert read_config(written(tmp_path, 'WEBSOCKET_CONNECTIONS = "300"')).websocket_connections == 300
    assert read_config(written(tmp_path, 'WEBSOCKET_CONNECTIONS = ""')).websocket_connections == 0
    for wrong in ("-1", "1.5", "1e3", "many", "9" * 30):
        with pytest.raises(ConfigError, match="is no count: a whole number"):
            read_config(written(tmp_path, f'WEBSOCKET_CONNECTIONS = "{wrong}"'))


def test_a_port_without_a_default_may_be_none(tmp_path):
    assert read_config(written(tmp_path, "")).websocket_status_port == 0
    assert read_config(written(tmp_path, 'WEBSOCKET_STATUS_PORT = "9180"')).websocket_status_port == 9180
    assert read_config(written(tmp_path, 'WEBSOCKET_PORT = ""')).websocket_port == 52242
    with pytest.raises(ConfigError, match="is no port"):
        read_config(written(tmp_path, 'WEBSOCKET_STATUS_PORT = "0"'))
