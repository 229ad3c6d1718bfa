# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request and a definition to the cheapest pipeline that answers it."""
