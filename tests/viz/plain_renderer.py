"""A second renderer, to compare pictures with: numpy alone, point by point.

It knows of a scene what its shapes say, and nothing of OpenGL: triangles are strewn with points, the nearest point wins
a pixel, lamps and glass follow their formulas, and each four pixels are averaged.
"""

import numpy as np
from matplotlib.colors import to_rgb

from efield.viz.theme import THEMES

#: Lamps of `efield.viz.render`, in the camera's coordinates, and their strengths.
LAMPS = (((-0.5, 0.6, 1.0), 0.85), ((0.7, -0.2, 1.0), 0.35))

#: Points on a triangle are at most so many pixels apart.
_SPACING = 0.9


def drawn(scene, view, pixels, theme="light"):
    """(rows, columns, 3) the scene as colors from 0 to 255."""
    columns, rows = pixels = tuple(2 * side for side in pixels)
    colors = THEMES[theme]
    picture = np.tile(np.array(to_rgb(colors.paper)), (rows * columns, 1))
    depth = np.full(rows * columns, -np.inf)
    for shape in sorted(scene.shapes, key=lambda one: (one.on_top, one.glass is not None)):
        pixel, height, color, turned = _points(shape, view, pixels, colors)
        if shape.on_top:  # in front of everything but its own kind
            height = height + 1e4
        order = np.argsort(height, kind="stable")
        nearest = np.full(rows * columns, -1)
        nearest[pixel[order]] = order
        here = np.flatnonzero((nearest >= 0) & (height[nearest] > depth))
        own = nearest[here]
        share = 1.0
        if shape.glass is not None:
            low, high = shape.glass
            share = (low + (high - low) * (1.0 - turned[own]) ** 3)[:, None]
        else:
            depth[here] = height[own]
        picture[here] = share * color[own] + (1 - share) * picture[here]
    return 255 * np.clip(picture, 0, 1).reshape(rows // 2, 2, columns // 2, 2, 3).mean(axis=(1, 3))


def _points(shape, view, pixels, theme):
    """Points on a shape's triangles: pixel, height toward the viewer, color, and how much they face the viewer."""
    surface = shape.surface
    places = view.in_picture(surface.points_mm)
    axes = np.stack([view.right, view.up, view.toward])
    corners = places[surface.triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    kept = flat[:, 2] > 0 if shape.closed else np.ones(len(flat), bool)
    mm = 2 * view.half_height_mm / pixels[1]
    size = np.linalg.norm(np.ptp(corners, axis=1)[:, :2], axis=1) / (_SPACING * mm)
    steps_of = 2 ** np.ceil(np.log2(np.maximum(size, 1.0))).astype(int)
    found = []
    for steps in np.unique(steps_of[kept]):  # triangles of one size together
        chosen = np.flatnonzero(kept & (steps_of == steps))
        weights = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
        found.append((np.repeat(chosen, len(weights)), np.tile(weights, (len(chosen), 1))))
    triangle, weights = (np.concatenate(part) for part in zip(*found, strict=True))

    def at(nodal):
        return np.einsum("nc,nc...->n...", weights, nodal[surface.triangles[triangle]])

    place = at(places)
    normal = flat[triangle] if shape.flat else at(surface.normals @ axes.T)
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    normal = np.where(normal[:, 2:] < 0, -normal, normal)
    color = _lit(_color(shape, theme, at), normal, shape)
    columns, rows = pixels
    column = np.floor(place[:, 0] / mm + columns / 2).astype(int)
    row = np.floor(rows / 2 - place[:, 1] / mm).astype(int)
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    return (row * columns + column)[inside], place[inside, 2], color[inside], normal[inside, 2]


def _color(shape, theme, at):
    if shape.rgb is not None:
        return at(shape.rgb.astype(float)) / 255
    plain = np.array(to_rgb(getattr(theme, shape.color, shape.color)))
    if shape.values is None:
        return np.tile(plain, (len(at(shape.surface.points_mm)), 1))
    values = at(shape.values)
    known = np.isfinite(values)
    return np.where(known[:, None], shape.scale.rgb(np.where(known, values, 0.0)) / 255, plain)


def _lit(color, normal, shape):
    if not shape.lit:
        return color
    light = sum(strength * np.maximum(normal @ (np.array(lamp) / np.linalg.norm(lamp)), 0) for lamp, strength in LAMPS)
    ambient = 0.35 if shape.flat or shape.glass else 0.3
    return color * (ambient + 0.75 * light[:, None])
