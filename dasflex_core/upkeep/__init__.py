# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of sources is looked after: blocks are built, coverage is measured, here or in the background."""
