# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON: data with their declarations for web pages and other programs that have a JSON parser and nothing else."""
