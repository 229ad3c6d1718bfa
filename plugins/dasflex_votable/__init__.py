# SPDX-License-Identifier: GPL-3.0-or-later
"""VOTables, the tables of the Virtual Observatory, for TOPCAT, astropy and their kin."""
