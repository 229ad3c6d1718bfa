# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide for authors of plugins holds the hooks as they are declared, and the template as it is.

`python tests/docs/test_plugins_page.py` writes these parts anew.
"""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from textwrap import fill

import pytest

from dasflex_core import hookspecs, stages, streamtype

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "plugins.md"
TEMPLATE = DOCS.parent / "examples" / "plugin_template"
GENERATED = re.compile(r"(<!-- generated (\w+) begins[^\n]*-->\n)(.*?)(<!-- generated \w+ ends -->\n)", re.DOTALL)
REGENERATE = "what it is made from has changed: run `python tests/docs/test_plugins_page.py` and look at the difference"
#: The path of a page in a docstring.
PATH = re.compile(r"`docs/([\w/-]+\.md)(#[\w-]+)?`")


def hooks() -> list[tuple[str, typing.Any]]:
    """The hooks by their names, in the order in which they are declared and called."""
    return [(name, each) for name, each in vars(hookspecs).items() if hasattr(each, "dasflex_spec")]


def declared(hook: typing.Any) -> tuple[str, type | None]:
    """What `register` of a hook takes, as text, and the class whose objects it is, if that is one of ours."""
    written = inspect.get_annotations(hook)["register"]
    taken = re.fullmatch(r"Callable\[\[(.+)\], None\]", written)[1]
    name = taken.split(" | ")[0]
    found = next(
        (getattr(place, name, None) for place in (hookspecs, stages, streamtype) if hasattr(place, name)), None
    )
    return taken, found if is_dataclass(found) else None


def linked(text: str) -> str:
    """Text with links in place of the paths of pages."""

    def link(found: re.Match[str]) -> str:
        title = (DOCS / found[1]).read_text(encoding="utf-8").lstrip("#").partition("\n")[0].strip()
        return f"[{title}]({found[1]}{found[2] or ''})"

    return PATH.sub(link, text)


def made_of(kind: type) -> str:
    """How an object is made: its fields, and what stands in the place of one that is not given."""
    parts = []
    for each in fields(kind):
        made = each.default_factory() if each.default_factory is not MISSING else each.default
        short = made if isinstance(made, (str, int, float, bool, tuple, type(None))) else None
        parts.append(
            each.name if made is MISSING else f"{each.name}={short!r}" if short is made else f"{each.name}=..."
        )
    made = fill(f"{kind.__name__}({', '.join(parts)})", 110, subsequent_indent="    ", break_long_words=False)
    return f"```text\n{made}\n```\n\n{inspect.getdoc(kind)}\n"


def made_hooks() -> str:
    """A section for each hook: what it registers, its docstring, and that of what is registered."""
    parts = []
    for name, hook in hooks():
        taken, kind = declared(hook)
        parts.append(f"\n### `{name}`\n\n`register({taken})`\n\n{inspect.getdoc(hook)}\n")
        if kind is not None:
            parts.append(f"\n{made_of(kind)}")
    return linked("".join(parts)) + "\n"


def made_files() -> str:
    """The module of the template and its project file."""
    module = (TEMPLATE / "dasflex_template.py").read_text(encoding="utf-8")
    project = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    return f"\n`dasflex_template.py`:\n\n```python\n{module}```\n\n`pyproject.toml`:\n\n```toml\n{project}```\n\n"


MADE = {"hooks": made_hooks, "template": made_files}


@pytest.mark.parametrize("part", MADE)
def test_each_generated_part_is_what_it_is_made_from(part):
    found = {each[1]: each[2] for each in GENERATED.findall(PAGE.read_text(encoding="utf-8"))}
    assert set(found) == set(MADE)
    assert found[part] == MADE[part](), REGENERATE


def test_each_hook_has_its_section_in_the_order_in_which_it_is_called():
    headings = re.findall(r"^### `(dasflex_\w+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [name for name, _hook in hooks()]
    assert headings[0] == "dasflex_stages"
    assert len(headings) > 10


def test_the_page_says_the_version_of_the_api():
    assert f"`{hookspecs.API_VERSION}`" in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(
        GENERATED.sub(lambda found: found[1] + MADE[found[2]]() + found[4], PAGE.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
