# SPDX-License-Identifier: GPL-3.0-or-later
"""CSV: text in rows and columns, for spreadsheets and data frames, or in the layout of the classic das tools."""
