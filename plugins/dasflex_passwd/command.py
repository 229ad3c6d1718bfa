# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_passwd`: users, their passwords and tokens, and groups.

The first word decides: `token`, `tokens` and `group` are verbs, and anything else is the classic form. A user with the
name of a verb is written behind `--`.
"""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.authentication import one_form
from dasflex_core.cli.verbs import Verb, VerbGroup, root_option
from dasflex_core.errors import QueryError, shown
from dasflex_passwd import group_file, tokens, users

if TYPE_CHECKING:
    from dasflex_core.config import Config

__all__ = ["main", "passwd", "verbs"]

_VERBS: Final = ("group", "token", "tokens")
_DAY: Final = 86_400


def main() -> None:
    """The program."""
    with suppress(OSError, ValueError):  # a password is not left in a file where the program crashes
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    command = verbs if len(sys.argv) > 1 and sys.argv[1] in _VERBS else passwd
    command.main(prog_name="dasflex_passwd")


def _config(root: str | None) -> Config:
    """The configuration of the root."""
    from dasflex_core.site import open_site

    return open_site(root).config


@click.command("dasflex_passwd", cls=Verb)
@click.argument("user")
@click.argument("password", required=False)
@click.option("-b", "--batch", is_flag=True, help="PASSWORD is on the command line, where others may see it.")
@click.option("-i", "--stdin", "piped", is_flag=True, help="Read the password from standard input.")
@click.option("-c", "--create", is_flag=True, help="Begin a new password file; one that has users is an error.")
@click.option("-D", "--delete", is_flag=True, help="Delete the user, with their tokens and memberships.")
@root_option
def passwd(
    user: str,
    password: str | None,
    batch: bool,  # noqa: FBT001  click
    piped: bool,  # noqa: FBT001  click
    create: bool,  # noqa: FBT001  click
    delete: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Add a user, or give one another password.

    Without -b and -i the password is asked for, twice. `dasflex_passwd token`, `tokens` and `group` have a help of
    their own; a user of such a name is written behind `--`.
    """
    config = _config(root)
    if delete:
        _delete(config, user)
        return
    if create and users.users(config):
        raise QueryError(f"{config.user_passwd} has users already; leave -c out to add one", kind="query.bad-value")
    known = users.add_user(config, user, _password(user, password, batch=batch, piped=piped))
    click.echo(f"{'Added' if known else 'Changed'} the user {user} in {config.user_passwd}", err=True)


def _password(user: str, given: str | None, *, batch: bool, piped: bool) -> str:
    """The password, from wherever it comes. Raises `QueryError` where that is not clear."""
    if batch and given is None:
        raise QueryError("-b needs the password behind the user", kind="query.missing-parameter")
    if given is not None and not batch:
        raise QueryError("A password on the command line needs -b", kind="query.bad-value")
    if given is not None:
        click.echo("dasflex: note: a password on the command line can be seen by other users of the machine", err=True)
        return given
    if piped:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = click.prompt(f"New password of {user}", hide_input=True, confirmation_prompt="Again", err=True)
    return asked


def _delete(config: Config, user: str) -> None:
    """Deletes a user. Raises `QueryError` where there is none."""
    if not users.delete_user(config, user):
        raise QueryError(f"There is no user {shown(user)} in {config.user_passwd}", kind="query.bad-value")
    tokens.revoke_all(config, one_form(user))
    group_file.remove_everywhere(config, one_form(user))
    click.echo(f"Deleted the user {user}", err=True)


@click.group("dasflex_passwd", cls=VerbGroup)
def verbs() -> None:
    """Tokens and groups."""


@verbs.command("token", cls=Verb)
@click.argument("user", required=False)
@click.option("--scope", multiple=True, metavar="ID|FOLDER/", help="What it is good for; several may be given.")
@click.option("--expires", default="90d", show_default=True, metavar="90d|DATE|never", help="When it ends.")
@click.option("--name", default="", help="What it is for, to tell it from others.")
@click.option("--revoke", metavar="ID", help="Take the token of this id back.")
@root_option
def token(
    user: str | None, scope: tuple[str, ...], expires: str, name: str, revoke: str | None, root: str | None
) -> None:
    """Make a token for a user, and print it: it is kept as a hash only, and never shown again."""
    config = _config(root)
    if revoke is not None:
        if not tokens.revoke(config, revoke):
            raise QueryError(f"There is no token {shown(revoke)}; `tokens` lists them", kind="query.bad-value")
        return
    if user is None or not users.is_name(user):
        raise QueryError("Name the user that the token is for", kind="query.missing-parameter")
    now = time.time()
    click.echo(tokens.issue(config, one_form(user), scope=scope, expires=_end(expires, now), name=name, now=now))


@verbs.command("tokens", cls=Verb)
@click.argument("user", required=False)
@root_option
def listed(user: str | None, root: str | None) -> None:
    """List the tokens that were made: id, user, end, what they are good for, name."""
    from dasflex_core.times import Time, format_time

    for each in tokens.tokens(_config(root), user or ""):
        ends = format_time(Time(int(each.expires) * 1_000_000_000), 0) if each.expires else "never"
        click.echo("  ".join(filter(None, (each.id, each.user, ends, ",".join(each.scope) or "everything", each.name))))


@verbs.group("group", cls=VerbGroup)
def group() -> None:
    """Change the group file."""


@group.command("add", cls=Verb)
@click.argument("name")
@click.argument("members", nargs=-1, required=True, metavar="USER...")
@root_option
def add(name: str, members: tuple[str, ...], root: str | None) -> None:
    """Add users to a group."""
    group_file.add_members(_config(root), name, members)


@group.command("remove", cls=Verb)
@click.argument("name")
@click.argument("members", nargs=-1, required=True, metavar="USER...")
@root_option
def remove(name: str, members: tuple[str, ...], root: str | None) -> None:
    """Remove users from a group."""
    group_file.remove_members(_config(root), name, members)


@group.command("list", cls=Verb)
@root_option
def list_groups(root: str | None) -> None:
    """List the groups and who is in them."""
    for name, members in group_file.groups(_config(root)).items():
        click.echo(f"{name}: {' '.join(members)}")


def _end(text: str, now: float) -> float:
    """The end of a token in seconds since 1970; 0 is never. Raises `QueryError`."""
    from dasflex_core.times import parse_time

    if text == "never":
        return 0.0
    if text.endswith("d") and text[:-1].isdigit():
        return now + int(text[:-1]) * _DAY
    end = parse_time(text).ns / 1e9
    if end <= now:
        raise QueryError(f"{shown(text)} is over already", kind="query.bad-value")
    return end
