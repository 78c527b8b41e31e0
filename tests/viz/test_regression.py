"""Pictures of the main scenes against a second renderer that shares no line with the first; see `plain_renderer`.

Drivers draw edges differently: a pixel agrees if one of its neighbors in the other picture has its color. That a fault
is seen is shown by pictures that are wrong on purpose.
"""

import asyncio

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from efield.ground.pose import Pose
from efield.targeting.field import EField
from efield.targeting.targets import Target
from efield.viz.probe import can_render
from efield.viz.render import image_of
from efield.viz.scene import Scene
from efield.viz.views import View
from efield.viz.web import page_text
from tests.chromium import browsing, chromium
from tests.viz.conftest import Recovered, make_coil
from tests.viz.plain_renderer import drawn

needs_gl = pytest.mark.skipif(not can_render(), reason="no OpenGL: pictures are not compared here")

PIXELS = (120, 110)

#: Colors differ by less, of 255, and at most this share of the pixels may do so by more.
CLOSE, MOST_OFF = 28, 0.02


def off(picture, other):
    """Share of the pixels whose color is that of no neighbor in the other picture."""
    padded = np.pad(other.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = sliding_window_view(padded, (3, 3), axis=(0, 1))
    apart = np.abs(around - picture[..., None, None].astype(float)).max(axis=2).min(axis=(2, 3))
    return float((apart > CLOSE).mean())


@pytest.fixture(scope="module")
def smooth(head):
    """A field on spheres, strongest below a coil on the upper left."""
    outward = np.array([-0.6, 0.0, 0.8])

    def field_at(points):
        size = np.exp(-(((points - 70.0 * outward) / 35.0) ** 2).sum(axis=1))
        return size[:, None] * np.array([1.0, 1.0, 0.0]) / np.sqrt(2)

    recovered = Recovered(head, field_at(head.points))
    recovered.at = field_at
    pose = Pose.from_axes(90.0 * outward, (1.0, 1.0, 0.0), -outward)
    rest = {"coil": make_coil(), "pose": pose, "iterations": 1, "recover": lambda: recovered}
    field = EField(head=head, e=field_at(head.barycenters), didt=1e6, **rest)
    return field, Target.sphere(center_mm=66.0 * outward, direction=(1.0, 1.0, 0.0), name="upper left", tags=(2,))


def whole(field, target, **options):
    scene = Scene(field.head).cortex(field, **options).scalp()
    return scene.coil(field.coil, field.pose).target(target, size=2.0)


SCENES = {
    "whole": (whole, "head"),
    "along the coil": (whole, "coil"),
    "arrows": (lambda field, target: Scene(field.head).cortex(field).arrows().target(target), "target"),
    "slices": (lambda field, target: Scene(field.head).slices(field, "xz").target(target), "head"),
    "difference": (lambda field, target: Scene(field.head).difference(field, -0.3 * field).target(target), "left"),
}


@needs_gl
@pytest.mark.parametrize("name", SCENES)
def test_a_scene_looks_as_the_second_renderer_draws_it(smooth, name):
    make, view = SCENES[name]
    scene = make(*smooth)
    seen = scene.view(view, PIXELS[0] / PIXELS[1])
    assert off(image_of(scene, seen, PIXELS), drawn(scene, seen, PIXELS)) < MOST_OFF


def _turned(view):
    return View(view.focus_mm, view.toward, view.up + 0.12 * view.right, view.half_height_mm)


def _moved(view):
    return View(view.focus_mm + 5.0 * view.right, view.toward, view.up, view.half_height_mm)


def _mirrored(view):
    return View(view.focus_mm * (-1, 1, 1), view.toward * (-1, 1, 1), view.up * (-1, 1, 1), view.half_height_mm)


@needs_gl
def test_a_picture_that_is_wrong_on_purpose_is_told(smooth):
    field, target = smooth
    scene = whole(field, target)
    view = scene.view("head", PIXELS[0] / PIXELS[1])
    right, bare = drawn(scene, view, PIXELS), Scene(field.head).cortex(field)
    other_colors = whole(field, target, limit=1.5 * scene.scales[0].high)
    without_handle = bare.scalp().coil(field.coil, field.pose, handle=False).target(target, size=2.0)
    without_scalp = bare.coil(field.coil, field.pose).target(target, size=2.0)
    for wrong, seen in (
        (other_colors, view),
        (without_handle, view),
        (without_scalp, view),
        (scene, _moved(view)),
        (scene, _turned(view)),
        (scene, _mirrored(view)),
    ):
        assert off(image_of(wrong, seen, PIXELS), right) > 1.4 * MOST_OFF
    assert off(image_of(scene, view, PIXELS, "dark"), right) > 0.2


#: In JavaScript: the parts of a coil.
MOVING = '["windings", "casing", "handle", "induced current"].includes(shape.name)'


@pytest.mark.skipif(chromium() is None, reason="no Chromium: the page's picture is not compared here")
@pytest.mark.parametrize("way", ["at rest", "while something moves"])
def test_the_page_draws_what_the_second_renderer_draws(smooth, tmp_path, way):
    scene = whole(*smooth)
    text = page_text(scene, "head")
    if way != "at rest":  # by layers, as without a graphics card while a coil moves
        for was, becomes in (("const quick = part < 1", "const quick = true"), ("shape.held !== IDENTITY", MOVING)):
            assert was in text
            text = text.replace(was, becomes)
    (tmp_path / "scene.html").write_text(text, encoding="utf-8")

    async def look():
        async with browsing((tmp_path / "scene.html").as_uri(), (400, 500)) as page:
            await page.until("document.documentElement?.dataset.ready")
            size = await page.js("[innerWidth, innerHeight]")
            await page.js("document.querySelectorAll('.box').forEach(box => { box.style.visibility = 'hidden'; })")
            await page.picture(tmp_path / "page.png")
            return size, page.complaints

    size, complaints = asyncio.run(look())
    assert complaints == []
    from PIL import Image

    with Image.open(tmp_path / "page.png") as image:
        picture = np.asarray(image.convert("RGB").resize((size[0] // 2, size[1] // 2), Image.Resampling.BOX))
    seen = scene.view("head", 1.2)
    aspect = size[0] / size[1]
    page_view = View(seen.focus_mm, seen.toward, seen.up, seen.half_height_mm * max(1.0, 1.0 / aspect))
    assert off(picture, drawn(scene, page_view, picture.shape[1::-1])) < MOST_OFF
