# SPDX-License-Identifier: GPL-3.0-or-later
"""The reducers: averages in bins, rates, spectral densities, and what cuts a stream down to what was asked."""
