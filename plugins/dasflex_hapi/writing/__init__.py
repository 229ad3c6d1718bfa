# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays as records of HAPI: what a data set holds, and its csv, binary and json forms."""
