# SPDX-License-Identifier: GPL-3.0-or-later
"""das streams: decoders, encoders and framers for das2 and das3, and the parameters of das2 clients."""
