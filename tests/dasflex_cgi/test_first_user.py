# SPDX-License-Identifier: GPL-3.0-or-later
"""The protected example can be tried in a root that `dasflex serve` makes by itself."""

from __future__ import annotations

import dasflex_core
from dasflex_cgi.first_user import NAME, add_first_user, is_new
from dasflex_core.authentication import identify
from dasflex_core.claims import Claim


def test_a_root_is_new_only_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DASFLEX_CONFIG", raising=False)
    assert is_new(None)
    assert not is_new(str(tmp_path))
    site = dasflex_core.open()
    assert not is_new(None)
    monkeypatch.setenv("DASFLEX_CONFIG", str(site.config.file))
    assert not is_new(None)
    warning = add_first_user(site.config)
    assert str(site.config.user_passwd) in warning
    assert NAME in warning
    claim = Claim("192.0.2.7", "Basic dGVzdHVzZXI6dGVzdA==")
    assert identify(claim, site.registry, site.config).user == NAME
    assert site["Examples/Auth"].examples[0].ask(format_type="csv").source.protected
