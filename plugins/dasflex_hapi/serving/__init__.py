# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of this site as a HAPI server: data sets, what is said of them, and the addresses at which they are."""
