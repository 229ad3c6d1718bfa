# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, passwords and tokens of a root, in files."""
