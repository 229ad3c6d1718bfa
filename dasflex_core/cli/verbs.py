# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `dasflex`: its verbs, which are imported when they are used, and how it tells failures."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final

import click

from dasflex_core.cli.exit_codes import INTERRUPTED, exit_code
from dasflex_core.errors import DasflexError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MORE", "OutputError", "Verb", "VerbGroup", "Verbs", "main", "mkroot", "root_option"]

#: The built-in verbs by the group of the help that they stand in. Each is `dasflex_core.cli.NAME:NAME`.
_BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "Data": ("get", "plan", "find", "filter"),
    "Definitions": ("check", "compare", "install", "convert", "catalog", "schema", "plugins"),
    "Servers": ("root", "jobs", "cache", "usage"),
}
#: The group of verbs that name none.
MORE: Final = "More"
_HELP: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}


@contextmanager
def _failures_told(context: click.Context) -> Iterator[None]:
    """Ends the command with one line for each thing that failed, and the exit code of its kind; never a traceback."""
    try:
        with _warnings_told():
            yield
    except DasflexError as error:
        for line in error.message.splitlines() or [type(error).__name__]:
            click.echo(f"dasflex: {line}", err=True)
        context.exit(exit_code(error))
    except KeyboardInterrupt as stop:
        click.echo(": ".join(["dasflex", "interrupted", *map(str, stop.args)]), err=True)
        context.exit(INTERRUPTED)


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Shows warnings as the command shows all that it has to say."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    """A warning as one line, without the place in our code that it comes from."""
    click.echo(f"dasflex: warning: {message}", err=True)


class OutputError(click.ClickException):
    """A file that the user named cannot be written."""

    def show(self, file: IO[Any] | None = None) -> None:
        """One line, as of every failure."""
        click.echo(f"dasflex: {self.format_message()}", err=True, file=file)


class Verb(click.Command):
    """A verb of `dasflex`. `section` is the group of the help that it stands in."""

    def __init__(self, *args: Any, section: str = MORE, **kwargs: Any) -> None:  # noqa: ANN401  those of click
        kwargs["context_settings"] = {**_HELP, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.section = section

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  that of click
        """Runs the verb; what fails is told."""
        with _failures_told(ctx):
            return super().invoke(ctx)


class VerbGroup(click.Group):
    """A verb that has verbs of its own, which tell their failures themselves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  those of click
        kwargs["context_settings"] = {**_HELP, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)


class Verbs(click.Group):
    """The group of all verbs: the built-in ones, and those that plugins register."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  that of click
        """The names of all verbs, in the order of the help."""
        built_in = [name for names in _BUILT_IN.values() for name in names]
        return [*built_in, *(name for name in sorted(_registered()) if name not in built_in)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  that of click
        """The verb of that name; plugins are asked only for what is not built in."""
        if any(cmd_name in names for names in _BUILT_IN.values()):
            verb: click.Command = getattr(import_module(f"dasflex_core.cli.{cmd_name}"), cmd_name)
            return verb
        return _registered().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments begin with. An unknown one is told with the nearest."""
        from dasflex_core.errors import did_you_mean

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = did_you_mean(args[0], self.list_commands(ctx)) if args else ""
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}" if args else error.message, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  that of click
        """Runs the verb; what fails is told, in a plugin's verb as well."""
        with _failures_told(ctx):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in their groups."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in _BUILT_IN}
        built_in = {name: title for title, names in _BUILT_IN.items() for name in names}
        verbs = {**_registered(), **{name: self.get_command(ctx, name) for name in built_in}}
        limit = formatter.width - 6 - max(map(len, verbs))
        for name in [*built_in, *sorted(verbs.keys() - built_in)]:
            verb = verbs[name]
            if verb is not None and not verb.hidden:
                section = built_in.get(name) or str(getattr(verb, "section", MORE))
                sections.setdefault(section, []).append((name, verb.get_short_help_str(limit)))
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _registered() -> dict[str, click.Command]:
    """The verbs of plugins, by name."""
    from dasflex_core.registry import discover

    with _warnings_told():
        return {verb.name: verb for verb in discover().commands() if verb.name}


def _print_version(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001  of click
    """Prints the version and ends."""
    if value and not context.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"dasflex {version('dasflex')}")
        except PackageNotFoundError:
            click.echo("dasflex (not installed)")
        context.exit()


@click.group(
    cls=Verbs,
    name="dasflex",
    context_settings=_HELP,
    epilog="`dasflex VERB --help` explains a verb.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def main() -> None:
    """Space-physics data from the programs that read them.

    A request is solved for the cheapest pipeline that gives what was asked, which is run and streamed.
    """


#: The option of every verb that works on a site.
root_option = click.option(
    "--root",
    type=click.Path(exists=True),
    metavar="DIR",
    help="The root of the site, or its dasflex.conf. Default: DASFLEX_CONFIG, else your own, made at first use.",
)


def mkroot() -> None:
    """The program `dasflex_mkroot`: the verb `root` under its old name."""
    from dasflex_core.cli.root import root

    root.main(prog_name="dasflex_mkroot")


def sdef() -> None:
    """The program `dasflex_sdef`: the verb `install` under its old name and with its old options."""
    from dasflex_core.cli import programs

    programs.sdef.main(prog_name="dasflex_sdef")


def cupdate() -> None:
    """The program `dasflex_cupdate`: the verb `catalog update` under its old name."""
    from dasflex_core.cli import programs

    programs.cupdate.main(prog_name="dasflex_cupdate")


def d2check() -> None:
    """The program `dasflex_d2check`: `dasflex check` as a cron job that writes mail."""
    from dasflex_core.cli.d2check import d2check as command

    command.main(prog_name="dasflex_d2check")


def sitecat() -> None:
    """The program `dasflex_sitecat`: the verb `catalog merge` under its old name."""
    from dasflex_core.cli import programs

    programs.sitecat.main(prog_name="dasflex_sitecat")
