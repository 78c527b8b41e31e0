"""Files of scenes show what is in the scene, where it is; properties of pixels, not stored pictures, say so."""

import asyncio
import base64
import json
import re
import zlib

import matplotlib as mpl
import numpy as np
import pytest

from efield.ground.errors import InputError, MissingDependencyError
from efield.viz.comparison import compare_fields
from efield.viz.films import save_film, save_turn
from efield.viz.probe import can_render
from efield.viz.render import image_of
from efield.viz.scene import Scene
from efield.viz.showing import show_scene
from tests.chromium import browsing, chromium

needs_gl = pytest.mark.skipif(not can_render(), reason="no OpenGL: scenes are not rendered here")

PIXELS = (240, 220)


@pytest.fixture(scope="module")
def scene(case):
    field, target, coil, pose = case
    return Scene(field.head).cortex(field).scalp().coil(coil, pose).target(target, size=2.0)


def near(image, color, tolerance=60):
    """Pixels (rows, columns) that have nearly a color's hue: shading makes them darker or lighter."""
    own = image.astype(float) / np.maximum(image.max(axis=2, keepdims=True), 1)
    aim = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)], float)
    return np.abs(own - aim / aim.max()).max(axis=2) < tolerance / 255


def pixel_of(view, point_mm):
    across, up, _ = view.in_picture([point_mm])[0]
    half = view.half_height_mm
    columns, rows = PIXELS
    return round((up - half) / (-2 * half) * rows), round((across / (half * columns / rows) + 1) / 2 * columns)


@needs_gl
@pytest.mark.parametrize("name", ["head", "coil", "top"])
def test_coil_handle_and_target_are_drawn_where_they_are(scene, case, name):
    from efield.viz.palette import COIL_COLOR, TARGET_COLOR

    view = scene.view(name, PIXELS[0] / PIXELS[1])
    image = image_of(scene, view, PIXELS)
    assert 0.005 < near(image, COIL_COLOR, 40).mean() < 0.3
    ball = next(shape for shape in scene.shapes if shape.name == "target")
    row, column = pixel_of(view, ball.surface.points_mm.mean(axis=0))
    assert near(image, TARGET_COLOR)[row - 1 : row + 2, column - 1 : column + 2].any()
    handle = next(shape for shape in scene.shapes if shape.name == "handle")
    row, column = pixel_of(view, handle.surface.points_mm.mean(axis=0))
    assert image[row, column].max() < 140  # dark, where all but the field is light
    assert np.ptp(image[row, column].astype(int)) < 30


@needs_gl
def test_the_scalp_is_seen_and_the_cortex_through_it(case):
    field = case[0]
    bare, dressed = Scene(field.head).cortex(field), Scene(field.head).cortex(field).scalp()
    view = dressed.view("left", PIXELS[0] / PIXELS[1])
    one, other = (image_of(scene, view, PIXELS).astype(int) for scene in (bare, dressed))
    outside = (one == 255).all(axis=2) & (other != 255).any(axis=2)
    assert outside.mean() > 0.05
    middle = np.s_[100:120, 110:130]
    assert np.ptp(other[middle].mean(axis=(0, 1))) > 0.4 * np.ptp(one[middle].mean(axis=(0, 1)))


@needs_gl
def test_slices_have_the_colors_of_the_bar(case):
    field, target, *_ = case
    scene = Scene(field.head).slices(field, "x").target(target, arrow=False)
    view = scene.view("left", PIXELS[0] / PIXELS[1])
    image = image_of(scene, view, PIXELS)
    place = np.array([target.center_mm[0], 8.0, 20.0])
    size = 1.0 * np.exp(-(((place - 30.0 * np.array([-0.6, 0, 0.8])) / 25.0) ** 2).sum())
    expected = scene.scales[0].rgb(np.array([size]))[0]
    assert np.abs(image[pixel_of(view, place)].astype(int) - expected).max() < 25


@needs_gl
def test_several_views_are_panels_with_a_bar_that_names_its_percentile(scene, tmp_path):
    from efield.viz.saving import picture_of

    figure = picture_of(scene, ["head", "coil"], 180.0, 60.0, "light", "words")
    letters = [text.get_text() for text in figure.texts]
    assert {"a", "b", "head", "coil", "words"} <= set(letters)
    assert "P99.9 within 40 mm" in figure.axes[-1].get_ylabel()
    assert "|E| (V/m)" in figure.axes[-1].get_ylabel()


@needs_gl
def test_fields_are_compared_on_one_scale(case):
    field, target, *_ = case
    figure = compare_fields(field, 2 * field, target, names=("once", "twice"), dpi=100)
    assert len(figure.axes) == 5
    assert [text.get_text() for text in figure.texts if len(text.get_text()) > 1] == ["once", "twice", "difference"]
    assert "twice less once" in figure.axes[-1].get_ylabel()


@needs_gl
def test_films_turn_and_follow_scenes(scene, case, tmp_path):
    from PIL import Image

    field = case[0]
    save_turn(tmp_path / "turn.gif", scene, frames=3, width_mm=60)
    steps = (Scene(field.head).cortex(factor * field, limit=1.0) for factor in (0.2, 1.0))
    save_film(tmp_path / "film.gif", steps, width_mm=60)
    for name, frames in (("turn.gif", 3), ("film.gif", 2)):
        with Image.open(tmp_path / name) as film:
            assert film.n_frames == frames
            first = np.asarray(film.convert("RGB"))
            film.seek(1)
            assert (np.asarray(film.convert("RGB")) != first).mean() > 0.01
    with pytest.raises(InputError, match="a film needs a scene"):
        save_film(tmp_path / "none.gif", [])


def test_without_gl_a_scene_becomes_slices_and_says_so(scene, case, tmp_path, no_gl):
    report = scene.save(tmp_path / "m1.png", dpi=60)
    assert report.kind == "slices"
    assert "EFIELD_NO_GL" in report.advice
    with pytest.raises(MissingDependencyError, match="without a field"):
        Scene(case[0].head).scalp().save(tmp_path / "head.png")
    with pytest.raises(MissingDependencyError, match="EFIELD_NO_GL"):
        scene.plotter()
    assert [file.name for file in tmp_path.iterdir()] == ["m1.png"]


def page_of(path):
    """What a page holds: what is told of the scene, and its bytes."""
    text = path.read_text(encoding="utf-8")
    told = json.loads(re.search(r'id="scene">(.*?)</script>', text, re.DOTALL).group(1))
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1)
    return text, told, zlib.decompress(base64.b64decode(data))


def column_sums(blob, start, kind, count, width):
    """As the page reads its arrays."""
    read = np.frombuffer(blob, kind, count * width, start).reshape(width, count)
    return np.cumsum(read, axis=1, dtype=kind).T


def test_a_page_holds_the_scene_and_needs_neither_gl_nor_network(scene, case, tmp_path, no_gl):
    report = scene.save(tmp_path / "m1.html", "target", title="<m1> </script>")
    text, told, blob = page_of(report.path)
    assert report.kind == "page"
    assert not re.search(r"(src|href)=|https?://|import ", text)
    assert told["title"] == "<m1> </script>"
    assert text.count("<script") == 3
    assert [view["name"] for view in told["views"]][:3] == ["target", "head", "coil"]
    assert [name for name, *_ in told["numbers"]] == list(case[0].summary(case[1]))
    for shape, packed in zip(scene.shapes, told["shapes"], strict=True):
        places = column_sums(blob, packed["places"], np.int32, packed["count"], 3) / 65535
        points = np.array(packed["low"]) + places * packed["span"]
        np.testing.assert_allclose(points, shape.surface.points_mm, atol=2e-3)
        triangles = column_sums(blob, packed["triangles"], np.int32, packed["faces"], 3)
        np.testing.assert_array_equal(triangles, shape.surface.triangles)
        normals = column_sums(blob, packed["normals"], np.int8, packed["count"], 3) / 127
        np.testing.assert_allclose(normals, shape.surface.normals, atol=0.005)
        if shape.values is not None:
            steps = column_sums(blob, packed["values"], np.int32, packed["count"], 1)[:, 0]
            low, high = packed["range"]
            np.testing.assert_allclose(low + steps / 65534 * (high - low), shape.values, atol=1e-4)


#: In JavaScript: where the slices are, what is read in the middle of one, moving one, and the middle of the picture.
_AT = "[...document.querySelectorAll('.cut input')].map(slider => Number(slider.value))"
_READ = """(axis => {
  const canvas = document.querySelectorAll(".cut canvas")[axis], box = canvas.getBoundingClientRect();
  const place = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  canvas.dispatchEvent(new PointerEvent("pointermove", place));
  return document.getElementById("readout").textContent;
})"""
_SLIDE = """((axis, mm) => {
  const slider = document.querySelectorAll(".cut input")[axis];
  slider.value = mm;
  slider.dispatchEvent(new Event("input"));
})"""
_MIDDLE = """(() => {
  const box = document.getElementById("view").getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""


@pytest.mark.skipif(chromium() is None, reason="needs Chromium (chromium, google-chrome) to draw the page")
def test_slices_of_a_page_follow_their_sliders_and_the_cortex(scene, tmp_path):
    """The value that is read in a slice is the field there; a click on the cortex brings the slices to it."""
    path = scene.save(tmp_path / "m1.html", "top").path

    async def look():
        async with browsing(path.as_uri(), (900, 760)) as page:
            await page.until("document.documentElement?.dataset.ready")
            said = {"first": await page.js(_AT), "axial": await page.js(f"{_READ}(2)")}
            await page.js(f"{_SLIDE}(2, 10)")
            said |= {"slid": await page.js(_AT), "below": await page.js(f"{_READ}(2)")}
            middle = await page.js(_MIDDLE)
            await page.click(*middle)
            return said | {"clicked": await page.js(_AT)}, page.complaints

    said, complaints = asyncio.run(look())
    assert complaints == []
    np.testing.assert_allclose(said["first"], np.round(scene.center_mm), atol=0.51)
    assert said["slid"] == [*said["first"][:2], 10]
    field = scene.field
    for key, z in (("axial", scene.center_mm[2]), ("below", 10.0)):
        found = float(re.search(r"E\| ([\d.e+-]+) V/m", said[key]).group(1))
        exact = np.linalg.norm(field.recovered.at([[*scene.center_mm[:2], z]])[0])
        assert found == pytest.approx(exact, rel=0.05)
    assert said["clicked"] != said["slid"]
    assert np.linalg.norm(said["clicked"]) > 25.0  # on the gray matter's surface, seen from above


@pytest.mark.parametrize("name", ["m1.jpg", "m1", "m1.htm"])
def test_a_format_there_is_not_is_refused(scene, tmp_path, name):
    with pytest.raises(InputError, match="suffix of a scene"):
        scene.save(tmp_path / name)


def test_an_empty_scene_has_no_page(case, tmp_path):
    with pytest.raises(InputError, match="empty"):
        Scene(case[0].head).save(tmp_path / "m1.html")
    assert not list(tmp_path.iterdir())


def test_a_notebook_gets_a_picture_or_a_page(scene, monkeypatch, no_gl):
    """IPython is no dependency: a stand-in has the two classes that are used."""
    import sys
    import types

    kernel = type("ZMQInteractiveShell", (), {})()
    display = types.SimpleNamespace(HTML=lambda text: ("page", text), Image=lambda data: ("picture", data))
    known = {"get_ipython": lambda: kernel, "display": display}
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(version_info=(9, 0), **known))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with mpl.rc_context({"savefig.format": "svg"}):  # what this user's own figures are written as
        kind, data = show_scene(scene, width_mm=60)
    assert (kind, data[:4]) == ("picture", b"\x89PNG")
    kind, page = show_scene(scene, turnable=True)
    assert kind == "page"
    assert page.startswith("<iframe srcdoc=")
    assert page.count('"') < 12  # the page's own quotes are escaped
