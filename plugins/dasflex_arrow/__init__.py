# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrow streams and Parquet files, which data frames of all languages read."""
