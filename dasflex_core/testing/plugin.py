# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin of dasflex: fixtures for plugin authors, and nothing that a session pays for without using it.

It is loaded into every pytest session of an environment that has dasflex installed (entry point `pytest11`), so it
imports nothing of dasflex when it is loaded, registers no option and changes no setting.

    def test_my_plugin_is_found(dasflex_registry):
        assert any(stage.name == "band-power" for stage in dasflex_registry.stages)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dasflex_core.arrays import Item
    from dasflex_core.registry import Registry

__all__ = ["dasflex_golden", "dasflex_registry"]


@pytest.fixture(scope="session")
def dasflex_registry() -> Registry:
    """What all installed plugins declare."""
    from dasflex_core.registry import discover

    return discover()


@pytest.fixture
def dasflex_golden() -> dict[str, list[Item]]:
    """The small streams of `dasflex_core.testing.golden`, by name."""
    from dasflex_core.testing import golden

    return golden.streams()
