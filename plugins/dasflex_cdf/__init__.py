# SPDX-License-Identifier: GPL-3.0-or-later
"""CDF files, as the ISTP guidelines want them."""
