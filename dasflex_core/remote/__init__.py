# SPDX-License-Identifier: GPL-3.0-or-later
"""Other servers: how they are asked over HTTP, and a site that is one of them."""
