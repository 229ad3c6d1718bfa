# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the code that a declaration names as text, at the moment it is needed."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dasflex_core.errors import ConfigError, DasflexError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load", "source_of"]


def load(reference: str) -> Any:  # noqa: ANN401  it may be any class or function
    """What `module:name` names.

    Raises `ConfigError`: `config.missing-extra` where a package is not installed, which it names, and `config.plugin`
    where the module is broken or does not hold the name.
    """
    module, _colon, name = reference.partition(":")
    try:
        return attrgetter(name)(import_module(module))
    except DasflexError:  # such as a missing extra, which the module names itself
        raise
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ConfigError(
            f"{reference} cannot be used: {missing} is not installed", kind="config.missing-extra"
        ) from error
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise ConfigError(f"{reference} cannot be loaded: {error}", kind="config.plugin") from error


def source_of(module: str) -> Path | None:
    """The file of a module's source, found without importing it or the packages that it is in; None where it has none.

    `module` may be that of an entry point, with a name in it behind a colon.
    """
    from importlib.util import find_spec
    from pathlib import Path

    first, *rest = module.partition(":")[0].split(".")
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [Path(place, *rest) for place in spec.submodule_search_locations or ()]
    files = [each / "__init__.py" for each in places]
    files += [each.with_suffix(".py") for each in places if rest]
    files += [Path(spec.origin)] if spec.has_location and spec.origin and not rest else []
    return next((each for each in files if each.suffix == ".py" and each.is_file()), None)
