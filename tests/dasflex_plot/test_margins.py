# SPDX-License-Identifier: GPL-3.0-or-later
"""No label of a picture is cut off at its edges."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from dasflex_plot.formatter import PngFormatter
from tests.dasflex_plot.streams import SCENES


def edges_of(items, width, height):
    """The darkest pixel (1 is white) of each edge of a picture: left, right, top, bottom."""
    made = PngFormatter(width=width, height=height)
    png = b"".join([*(chunk for item in items for chunk in made.feed(item)), *made.finish()])
    light = imread(io.BytesIO(png), format="png")[..., :3].min(axis=2)
    return {"left": light[:, 0], "right": light[:, -1], "top": light[0], "bottom": light[-1]}


@pytest.mark.parametrize("size", [(400, 300), (800, 450), (1600, 900)])
@pytest.mark.parametrize("name", SCENES)
def test_the_edges_of_a_picture_are_blank(name, size):
    inked = {edge for edge, light in edges_of(SCENES[name](), *size).items() if np.any(light < 1)}
    assert not inked
