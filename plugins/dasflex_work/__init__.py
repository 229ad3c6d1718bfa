# SPDX-License-Identifier: GPL-3.0-or-later
"""Work-lists on Redis: tasks that are done in the background, by any number of workers on any machines."""
