# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket front-end, for live instrument data. A later step fills this room."""
