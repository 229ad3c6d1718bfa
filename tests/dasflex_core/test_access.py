# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks for data is told to whoever decides, and to nobody else."""

from __future__ import annotations

import pytest

import dasflex_core
from dasflex_core.access import NOBODY, Identity
from dasflex_core.errors import AccessError


def test_credentials_are_not_shown():
    assert "c2VjcmV0" not in repr(Identity("anna", "Basic c2VjcmV0", "192.0.2.7"))
    assert NOBODY.user == ""


def test_a_protected_source_is_closed_to_everyone_until_rules_are_enforced(tmp_path):
    from dasflex_core.roots import make_root

    site = dasflex_core.open(make_root(tmp_path / "root", "Access").root)
    for identity in (NOBODY, Identity("testuser", "Basic dGVzdHVzZXI6dGVzdA==", "127.0.0.1")):
        with pytest.raises(AccessError, match="protected"):
            site["Examples/Auth"].check_access(identity)
        site["Examples/Random"].check_access(identity)
