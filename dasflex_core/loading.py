# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the code that a declaration names as text, at the moment it is needed."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any

from dasflex_core.errors import ConfigError, DasflexError

__all__ = ["load"]


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
