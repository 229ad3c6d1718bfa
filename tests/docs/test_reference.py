# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation is enforced: every error, configuration key, trait and verb has its place in the reference."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from dasflex_core import errors
from dasflex_core.streamtype import TRAITS

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"
PRODUCT = [ROOT / "plugins", *ROOT.glob("dasflex_*")]
CODE = re.compile(r"`([^`]+)`")
KIND = re.compile(r"`((?:query|not-found|access|source|config|busy)\.[a-z-]+)`")


def headed(page: str) -> set[str]:
    """What a page documents: the words in code style in its headings, and in the first cells of its tables' rows."""
    entries = set()
    for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            entries.update(CODE.findall(line))
        elif line.startswith("|"):
            entries.update(CODE.findall(line.split("|")[1]))
    return entries


def families_of_errors() -> list[type[errors.DasflexError]]:
    return [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, errors.DasflexError) and each is not errors.DasflexError
    ]


def declared_kinds() -> set[str]:
    """The kinds that the docstrings of the error family name, and the default kind of each class."""
    family = families_of_errors()
    return {kind for each in family for kind in KIND.findall(each.__doc__ or "")} | {
        each.default_kind for each in family
    }


def raised_kinds() -> set[str]:
    """Every literal `kind=…` of a call of an error class, anywhere in the product."""
    names = {each.__name__ for each in families_of_errors()}
    return {
        word.value.value
        for folder in PRODUCT
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names
        for word in node.keywords
        if word.arg == "kind" and isinstance(word.value, ast.Constant)
    }


def test_every_declared_kind_of_error_has_its_row():
    assert len(declared_kinds()) > len(families_of_errors())
    assert declared_kinds() <= headed("errors.md")


def test_every_row_of_an_error_is_of_a_kind_that_is_declared():
    rows = {entry for entry in headed("errors.md") if "*" not in entry}
    assert rows == declared_kinds()


def test_every_kind_that_is_raised_is_declared():
    assert raised_kinds()
    assert raised_kinds() <= declared_kinds()


def test_every_configuration_key_has_its_row():
    from dasflex_core import config

    assert config.KEYS
    assert set(config.KEYS) <= headed("configuration.md")


def test_every_canonical_parameter_has_its_row():
    from dasflex_core.plan.parameters import CANONICAL

    assert set(CANONICAL) <= headed("parameters.md")


def test_every_trait_has_its_row():
    assert set(TRAITS) <= headed("streams.md")


def test_every_verb_has_its_heading():
    import click

    from dasflex_core.cli import main

    assert isinstance(main, click.Group)
    verbs = {f"dasflex {name}" for name in main.list_commands(click.Context(main))}
    assert verbs
    assert verbs <= headed("command-line.md")


#: What tells a rule of the verifier, and the place of its name among the arguments.
TELLERS = {"Slip": 0, "Remark": 1, "_tell": 1, "_remark": 1, "Finding": 1}
#: The rules that are kinds of errors of the decoders.
OF_DECODERS = {"stream", "truncated"}


def verified_rules() -> set[str]:
    """Every literal name of a rule that the verifier tells."""
    return OF_DECODERS | {
        node.args[TELLERS[name]].value
        for path in (ROOT / "plugins" / "dasflex_das").glob("verify*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "id", getattr(node.func, "attr", ""))) in TELLERS
        and len(node.args) > TELLERS[name]
        and isinstance(node.args[TELLERS[name]], ast.Constant)
    }


def test_every_rule_of_the_verifier_has_its_row_and_no_row_lacks_its_rule():
    assert len(verified_rules()) > 30
    assert headed("verify.md") - {"ok", "deviation", "fault"} == verified_rules()
