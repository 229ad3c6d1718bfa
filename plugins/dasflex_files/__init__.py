# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on disk as a source, without a reader program."""
