# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP front-end: a WSGI application that calls the solver and pumps the result."""
