# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex.conf`: what the administrator of a root says about it, as typed values.

The file has lines `KEY = "value"` and comments behind `#`, so that it is valid TOML once its values are quoted. Keys
are read without regard to case. Values without quotes, as old files have them, are understood with a warning. All that
is wrong with a file is said at once.

Every process reads this file first, so nothing here is slow to import, and what is slow is imported where it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dasflex_core.errors import ConfigError, did_you_mean
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import ExternalStage
    from dasflex_core.config_lines import Findings
    from dasflex_core.config_values import ConfigValue, KeyType, Network

__all__ = [
    "CONFIG_FILE",
    "KEYS",
    "STAGES_FILE",
    "Config",
    "ConfigKey",
    "config_file",
    "config_from_plain",
    "config_to_plain",
    "external_stages",
    "read_config",
    "root_of",
]

#: The configuration of a root, and the filters of all its sources, below the root.
CONFIG_FILE: Final = "etc/dasflex.conf"
STAGES_FILE: Final = "etc/stages.toml"


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One key: what it means, what it is without being set (as it would be written), its type, and its chapter.

    A `path` is relative to the root; `paths` are several with `:` between them; `networks` are address ranges with
    blanks or commas between them; a `queue` is `redis` or blank, a `form` `text` or `json`, a `sandbox` `bwrap` or
    `systemd-run`; an `amount` is a number, a `count` a whole one, a `size` bytes such as 512 MB, and 0 or blank is no
    limit. What cannot be blank has its default instead; a `port` without one may be 0, which is none.
    """

    title: str
    default: str = ""
    type: KeyType = "text"
    chapter: str = ""

    @property
    def shown(self) -> str:
        """The value that the key has without being set, as a line of the file would write it."""
        return f'"{self.default}"'


def _chapter(name: str, **keys: ConfigKey) -> dict[str, ConfigKey]:
    """Keys of one chapter."""
    return {key: ConfigKey(each.title, each.default, each.type, name) for key, each in keys.items()}


#: Every key of the file by its name, in the order in which a new file lists them.
KEYS: Final[Mapping[str, ConfigKey]] = {
    **_chapter(
        "Who this is",
        SITE_TITLE=ConfigKey("The name of the institution or project"),
        SITE_URL=ConfigKey("Its web page"),
        SERVER_NAME=ConfigKey("The name of this server", "dasflex"),
        SERVER_ID=ConfigKey("The same as an identifier: lower case, no blanks", "dasflex", "identifier"),
        SERVER_URL=ConfigKey("The public address of the server, which catalog nodes publish", "http://127.0.0.1:8080/"),
        SITE_CATALOG_TAG=ConfigKey("The site's tag in the federated catalog, such as tag:physics.example.edu,2006"),
        SITE_ID=ConfigKey("The id of the site in the federated catalog"),
    ),
    **_chapter(
        "Pages",
        CONTACT_EMAIL=ConfigKey("Whom visitors may write to; HTML entities are allowed"),
        CONTACT_URL=ConfigKey("A page about how to get in touch"),
        STYLE_SHEET=ConfigKey("The style sheet of the pages"),
        RESOURCE_PATH=ConfigKey("The directory of logos and style sheets", "static", "path"),
        SAMPLE_DSDF=ConfigKey("The source that the introduction shows"),
        SAMPLE_START=ConfigKey("The beginning of its range"),
        SAMPLE_END=ConfigKey("The end of its range"),
    ),
    **_chapter(
        "Data",
        DATASRC_ROOT=ConfigKey("The catalog tree", "catalog", "path"),
        DATASRC_INC=ConfigKey("The directory of files that imported definitions may include", "include", "path"),
        BIN_PATH=ConfigKey("Directories in front of PATH for reader programs", "", "paths"),
        LIB_PATH=ConfigKey("Directories in front of LD_LIBRARY_PATH for reader programs", "", "paths"),
        SCRATCH_PATH=ConfigKey("The directory of temporary files of reader programs; blank: the system's", "", "path"),
        CACHE_ROOT=ConfigKey("The directory of cache blocks", "cache", "path"),
        MIME_FILE=ConfigKey("The file of media types", "etc/mime.json", "path"),
        PEERS_FILE=ConfigKey("The file of other servers", "etc/peers.json", "path"),
        IGNORE_REDIRECT=ConfigKey("Serve a source here although its definition names another server", "false", "flag"),
        ENABLE_HAPI_SUBSYS=ConfigKey("HAPI, for the sources that opt in", "true", "flag"),
    ),
    **_chapter(
        "Limits",
        LIMIT_REQUEST_SECONDS=ConfigKey("The most seconds that a request may cost by its plan", "", "amount"),
        LIMIT_REQUEST_GIGABYTES=ConfigKey("The most gigabytes that a request may read by its plan", "", "amount"),
        LIMIT_ANSWER_GIGABYTES=ConfigKey("The most gigabytes that an answer may have by its estimate", "", "amount"),
        CDF_MAX_BYTES=ConfigKey("The most bytes of a CDF, which is made as a whole", "512 MB", "size"),
        LIMIT_READER_SILENCE=ConfigKey("Seconds after which a reader that writes nothing is ended", "300", "amount"),
        LIMIT_READER_CPU=ConfigKey("The most seconds of CPU time of a reader", "", "amount"),
        LIMIT_READER_OUTPUT=ConfigKey("The most gigabytes that a reader may write", "", "amount"),
        LIMIT_READER_MEMORY=ConfigKey("The most gigabytes of memory of a reader and its children", "8", "amount"),
        LIMIT_READER_PROCESSES=ConfigKey("The most processes that a reader and its children may be", "256", "count"),
        LIMIT_READER_SCRATCH=ConfigKey("The most gigabytes of its temporary files, and of any file", "10", "amount"),
        READER_SANDBOX=ConfigKey("What encloses readers: bwrap or systemd-run; blank: nothing", "", "sandbox"),
        READER_SANDBOX_NETWORK=ConfigKey("Whether readers in a sandbox may use the network", "false", "flag"),
        READER_SANDBOX_WRITE=ConfigKey("Files and directories that readers in bwrap may write to", "", "paths"),
        LIMIT_AT_ONCE=ConfigKey("The most requests of data that the server is at work for at once", "64", "count"),
        LIMIT_AT_ONCE_EACH=ConfigKey("The most of them from one client address", "16", "count"),
        LIMIT_WAIT=ConfigKey("Seconds that a request waits for its turn before it is refused", "5", "amount"),
        LIMIT_VERIFY_MEGABYTES=ConfigKey(
            "The most megabytes of a stream that is given to the verifier", "16", "amount"
        ),
        PREFER_STAGES=ConfigKey("Stages that win where the price is the same, the most preferred first"),
    ),
    **_chapter(
        "Jobs",
        JOBS_PATH=ConfigKey("The directory of jobs and of their results", "run/jobs", "path"),
        JOBS_KEEP_DAYS=ConfigKey("Days after which the result of a job is removed", "7", "amount"),
        LIMIT_JOB_SECONDS=ConfigKey("The most seconds that a job may cost by its plan", "", "amount"),
        LIMIT_JOB_GIGABYTES=ConfigKey("The most gigabytes that a job may read by its plan", "", "amount"),
        LIMIT_JOBS=ConfigKey("The most jobs that wait or run; 0: there are no jobs", "50", "count"),
        LIMIT_JOBS_EACH=ConfigKey("The most of them of one user or client address", "5", "count"),
        LIMIT_JOBS_RUNNING=ConfigKey("The most jobs that run at once; the others wait", "2", "count"),
        LIMIT_JOBS_GIGABYTES=ConfigKey("The most gigabytes that all results take", "20", "amount"),
    ),
    **_chapter(
        "Who may what",
        USER_PASSWD=ConfigKey("The file of users and hashed passwords", "etc/passwd", "path"),
        USER_GROUP=ConfigKey("The file of groups", "etc/group", "path"),
        ALLOW_TEST_FROM=ConfigKey("Address ranges that are never asked for a password", "", "networks"),
        REMOTE_USER_PROXIES=ConfigKey(
            "Addresses of web servers in front that log users in, and whose word is believed", "", "networks"
        ),
        REMOTE_USER_HEADER=ConfigKey("The header in which they name the user", "X-Remote-User"),
        ENABLE_VERIFIER=ConfigKey("The page that verifies streams", "true", "flag"),
        ALLOW_VALIDATE_FROM=ConfigKey("Address ranges that may use it", "127.0.0.0/8 ::1", "networks"),
    ),
    **_chapter(
        "Logs",
        LOG_PATH=ConfigKey("The directory of logs", "log", "path"),
        LOG_FORMAT=ConfigKey("The form of logs: text, or json with one object a line", "text", "form"),
        LOG_KEEP_DAYS=ConfigKey("Days after which logs and records of requests are removed", "400", "amount"),
        LOG_MAX_MEGABYTES=ConfigKey(
            "The most megabytes of them all; beyond it the oldest are removed", "4096", "amount"
        ),
        LOG_FILE_MEGABYTES=ConfigKey(
            "The most megabytes of one log file, which is then begun anew; the one before is kept", "64", "amount"
        ),
        VIEW_LOG_URL=ConfigKey("Where the log program is", "log"),
        MAIN_SRV_URL=ConfigKey("Where the main program is, for the log program", "stream"),
        VIEW_LOG_ALLOW=ConfigKey("Address ranges that may see logs", "127.0.0.0/8 ::1", "networks"),
    ),
    **_chapter(
        "Mail",
        MAIL_HOST=ConfigKey("The SMTP server that takes mail: host or host:port", "localhost"),
        MAIL_FROM=ConfigKey("The address that mail comes from; blank: dasflex at the host of SERVER_URL"),
    ),
    **_chapter(
        "WebSocket",
        WEBSOCKET_URI=ConfigKey("The public address of the daemon"),
        WEBSOCKET_IFACE=ConfigKey("The interface that it listens on", "localhost"),
        WEBSOCKET_PORT=ConfigKey("Its port", "52242", "port"),
        WEBSOCKET_SSL=ConfigKey("Whether it speaks TLS itself", "false", "flag"),
        WEBSOCKET_KEY=ConfigKey("The key file for that", "", "path"),
        WEBSOCKET_CERT=ConfigKey("The certificate for that", "", "path"),
        WEBSOCKET_STATUS_PORT=ConfigKey("The port of 127.0.0.1 for its metrics and health; blank: none", "", "port"),
        WEBSOCKET_ORIGINS=ConfigKey("Origins of pages that may connect, such as https://example.edu; * is any", "*"),
        WEBSOCKET_PROXIES=ConfigKey(
            "Addresses of web servers in front, whose X-Forwarded-For is believed", "127.0.0.0/8 ::1", "networks"
        ),
        WEBSOCKET_CONNECTIONS=ConfigKey("The most connections at once", "10000", "count"),
        WEBSOCKET_CONNECTIONS_EACH=ConfigKey("The most connections of one client address at once", "200", "count"),
        WEBSOCKET_IDLE=ConfigKey("Seconds without data after which a connection is closed", "3600", "amount"),
        WEBSOCKET_LIFETIME=ConfigKey("Seconds after which a connection is closed", "", "amount"),
        WEBSOCKET_PING=ConfigKey(
            "Seconds between pings; as many later a client that is silent is gone", "20", "amount"
        ),
    ),
    **_chapter(
        "Background work",
        WORK_QUEUE_BROKER=ConfigKey("redis, or nothing: background tasks are then off", "", "queue"),
        WORK_QUEUE_CONN=ConfigKey("host:port:db of the broker", "localhost:6379:0"),
    ),
}

#: The beginnings of keys by which older servers replaced their own parts, and what takes their place.
_REPLACED: Final[Mapping[str, str]] = {
    "HANDLE_": "plugins (`dasflex plugins`)",
    "MODULE_PATH": "plugins, which are found where Python finds packages",
    "D2S_": "the formatters of plugins, and filters in etc/stages.toml",
    "QDS_": "the formatters of plugins, and filters in etc/stages.toml",
    "DAS1_TO_DAS2": "the converters of plugins, and filters in etc/stages.toml",
    "DAS_TO_PNG": "the formatters of plugins, and filters in etc/stages.toml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of a root: each key as a value of its type, under its name in lower case.

    Relative paths are below `root`; a path that is nowhere by default may be None. `file` is what was read, `remarks`
    what the administrator should know about it.
    """

    root: Path
    file: Path
    remarks: tuple[str, ...] = ()
    site_title: str
    site_url: str
    server_name: str
    server_id: str
    server_url: str
    site_catalog_tag: str
    site_id: str
    contact_email: str
    contact_url: str
    style_sheet: str
    resource_path: Path
    sample_dsdf: str
    sample_start: str
    sample_end: str
    datasrc_root: Path
    datasrc_inc: Path
    bin_path: tuple[Path, ...]
    lib_path: tuple[Path, ...]
    scratch_path: Path | None
    cache_root: Path
    mime_file: Path
    peers_file: Path
    ignore_redirect: bool
    enable_hapi_subsys: bool
    limit_request_seconds: float
    limit_request_gigabytes: float
    limit_answer_gigabytes: float
    cdf_max_bytes: int
    limit_reader_silence: float
    limit_reader_cpu: float
    limit_reader_output: float
    limit_reader_memory: float
    limit_reader_processes: int
    limit_reader_scratch: float
    reader_sandbox: str
    reader_sandbox_network: bool
    reader_sandbox_write: tuple[Path, ...]
    limit_at_once: int
    limit_at_once_each: int
    limit_wait: float
    limit_verify_megabytes: float
    prefer_stages: str
    jobs_path: Path
    jobs_keep_days: float
    limit_job_seconds: float
    limit_job_gigabytes: float
    limit_jobs: int
    limit_jobs_each: int
    limit_jobs_running: int
    limit_jobs_gigabytes: float
    user_passwd: Path
    user_group: Path
    allow_test_from: tuple[Network, ...]
    remote_user_proxies: tuple[Network, ...]
    remote_user_header: str
    enable_verifier: bool
    allow_validate_from: tuple[Network, ...]
    log_path: Path
    log_format: str
    log_keep_days: float
    log_max_megabytes: float
    log_file_megabytes: float
    view_log_url: str
    main_srv_url: str
    view_log_allow: tuple[Network, ...]
    mail_host: str
    mail_from: str
    websocket_uri: str
    websocket_iface: str
    websocket_port: int
    websocket_ssl: bool
    websocket_key: Path | None
    websocket_cert: Path | None
    websocket_status_port: int
    websocket_origins: str
    websocket_proxies: tuple[Network, ...]
    websocket_connections: int
    websocket_connections_each: int
    websocket_idle: float
    websocket_lifetime: float
    websocket_ping: float
    work_queue_broker: str
    work_queue_conn: str

    @property
    def definitions(self) -> Path:
        """The directory of the definitions of sources."""
        return self.root / "definitions"

    @property
    def runtime(self) -> Path:
        """The directory of sockets."""
        return self.root / "run"

    @property
    def requests(self) -> Path:
        """The directory of the records of requests."""
        return self.log_path / "requests"

    @property
    def answers(self) -> Path:
        """The directory of the requests behind answer ids."""
        return self.log_path / "answers"


def config_file(place: Path) -> Path:
    """The configuration file that a root directory, or the path of the file itself, means."""
    return place / CONFIG_FILE if place.is_dir() else place


def root_of(file: Path) -> Path:
    """The root that a configuration file, given by its absolute path, is of: the directory around its `etc`."""
    return file.parent.parent if file.parent.name == "etc" else file.parent


def read_config(file: Path) -> Config:
    """The configuration in a file.

    The root is the directory around its `etc`. Raises one `ConfigError` that lists all that is wrong:
    `config.unreadable`, `config.unknown-key` or `config.bad-value`, each with file, line and key.
    """
    from dasflex_core.config_lines import Findings, config_text

    file = file.absolute()
    root = root_of(file)
    found = Findings(str(file))
    texts = _texts(config_text(file), found)
    values: dict[str, Any] = {name.lower(): _value(name, texts, root, found) for name in KEYS}
    if found.wrong:
        kind, _message = found.wrong[0]
        raise ConfigError("\n".join(message for _kind, message in found.wrong), kind=kind)
    return Config(root=root, file=file, remarks=tuple(found.remarks), **values)


def config_to_plain(config: Config) -> dict[str, object]:
    """A configuration as JSON has it: the values by the way in which they are written there."""
    kept: dict[str, dict[str, object]] = {each: {} for each in ("plain", "path", "paths", "networks")}
    for name, key in KEYS.items():
        value = getattr(config, name.lower())
        if isinstance(value, tuple):
            value = [str(each) for each in value]
        how = key.type if key.type in kept and value is not None else "plain"
        kept[how][name.lower()] = str(value) if how == "path" else value
    return {"root": str(config.root), "file": str(config.file), "remarks": list(config.remarks), **kept}


def config_from_plain(kept: Mapping[str, Any]) -> Config:
    """The configuration as it was. Raises `KeyError`, `TypeError` or `ValueError` for what is none."""
    from dasflex_core.config_values import network

    values: dict[str, Any] = {
        **kept["plain"],
        **{name: Path(value) for name, value in kept["path"].items()},
        **{name: tuple(map(Path, value)) for name, value in kept["paths"].items()},
        **{name: tuple(map(network, value)) for name, value in kept["networks"].items()},
    }
    return Config(root=Path(kept["root"]), file=Path(kept["file"]), remarks=tuple(kept["remarks"]), **values)


def external_stages(config: Config) -> tuple[ExternalStage, ...]:
    """The filters of all sources: `[[stage]]` in `etc/stages.toml`. Raises `ConfigError` for what is wrong there."""
    file = config.root / STAGES_FILE
    if not file.exists():
        return ()
    from dasflex_core.catalog.site_stages import read_stages

    return read_stages(file)


_Texts: TypeAlias = "dict[str, tuple[str, int]]"


def _texts(text: str, found: Findings) -> _Texts:
    """The texts of the known keys, with their lines."""
    from dasflex_core.config_lines import config_lines

    texts: _Texts = {}
    for line, key, value in config_lines(text, found):
        if key in texts:
            found.error(line, key, f"is set in line {texts[key][1]} already; once is enough")
        elif key in KEYS:
            texts[key] = (value, line)
        elif instead := next((words for start, words in _REPLACED.items() if key.startswith(start)), ""):
            found.remark(line, key, f"has no effect any more; in its place there are {instead}")
        else:
            hint = did_you_mean(key, KEYS) or " The keys are listed in the reference, Configuration."
            found.error(line, key, f"there is no key {key:.80}.{hint}", "config.unknown-key")
    return texts


_NEVER_BLANK: Final = ("identifier", "flag", "port", "path", "form")


def _value(name: str, texts: _Texts, root: Path, found: Findings) -> ConfigValue:
    """The value of a key, of its type; None, with a finding, where it cannot be."""
    from dasflex_core.config_values import MAKE

    key = KEYS[name]
    text, line = texts.get(name, (key.default, 0))
    try:
        return MAKE[key.type](text.strip() or (key.default if key.type in _NEVER_BLANK else ""), root)
    except ValueError as error:
        found.error(line, name, str(error))
        return None
