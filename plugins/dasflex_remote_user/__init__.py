# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-ins at the web server in front, such as those by OpenID Connect and Shibboleth."""
