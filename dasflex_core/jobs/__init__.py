# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are answered later: what is to be done, what became of it, and the file that came of it."""
