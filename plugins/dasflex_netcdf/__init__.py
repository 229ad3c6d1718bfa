# SPDX-License-Identifier: GPL-3.0-or-later
"""NetCDF-4 files with the CF conventions' attributes."""
