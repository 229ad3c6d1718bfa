# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of data: PNG, SVG and PDF."""
