# SPDX-License-Identifier: GPL-3.0-or-later
"""VOTables, for the tools of astronomy."""
