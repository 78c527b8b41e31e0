"""Pictures are whole PNG files of the size asked for, with a field on them; or there is no file at all."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from efield.coils.drive import Drive
from efield.ground.errors import InputError, MissingDependencyError, OutsideHeadError
from efield.io.load import load_coil
from efield.targeting.targets import Target
from efield.viz.caption import caption
from efield.viz.overview import field_plotter, field_scene
from efield.viz.picture import save_picture
from efield.viz.probe import can_render
from efield.viz.render import _averaged
from efield.viz.scene import Scene
from efield.viz.slices import slice_figure

#: Small, and narrow enough to be quick.
SMALL = {"width_mm": 150.0, "dpi": 75.0}


def pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def colored(image):
    """Share of pixels that are not gray: the field, the coil and the target are colored."""
    spread = image.max(axis=2).astype(int) - image.min(axis=2)
    return float((spread > 40).mean())


@pytest.fixture(params=["as the machine can", "without OpenGL"])
def way(request, monkeypatch):
    if request.param == "without OpenGL":
        monkeypatch.setenv("EFIELD_NO_GL", "1")
    else:
        monkeypatch.delenv("EFIELD_NO_GL", raising=False)
    return "scene" if can_render() else "slices"


@pytest.fixture(scope="module")
def drawn(case, tmp_path_factory):
    """The report of a picture in a folder of its own, by way of drawing; drawn when it is first asked for."""
    return cache(lambda way: save_picture(tmp_path_factory.mktemp(way) / "m1.png", *case, **SMALL))


def test_a_picture_has_the_size_asked_for_and_shows_a_field(way, drawn):
    report = drawn(way)
    image = pixels(report.path)
    assert image.shape[1:] == (443, 3)
    assert report.kind == way
    assert (report.advice is None) == (way == "scene")
    assert colored(image) > 0.05
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 500
    assert (image[0] == 255).all()
    assert [f.name for f in report.path.parent.iterdir()] == ["m1.png"]


def test_a_picture_needs_neither_target_nor_coil(way, case, tmp_path):
    report = save_picture(tmp_path / "m1.png", case[0], **SMALL)
    assert colored(pixels(report.path)) > 0.05


def test_a_head_without_gray_matter_shows_its_innermost_tissue(way, brainless_case, tmp_path):
    report = save_picture(tmp_path / "m1.png", *brainless_case, **SMALL)
    # a shell of CSF 4 mm thick covers little of the slices
    assert colored(pixels(report.path)) > 0.03


def test_a_coil_that_is_switched_off_gives_a_dark_picture_and_no_error(way, case_switched_off, tmp_path):
    report = save_picture(tmp_path / "m1.png", *case_switched_off, **SMALL)
    assert pixels(report.path).std() > 0


def test_a_picture_is_drawn_the_same_twice(way, case, drawn, tmp_path):
    again = save_picture(tmp_path / "m1.png", *case, **SMALL)
    np.testing.assert_array_equal(pixels(again.path), pixels(drawn(way).path))


def test_a_target_outside_the_head_leaves_no_file(way, case, tmp_path):
    field, _, coil, pose = case
    with pytest.raises(OutsideHeadError, match="target"):
        save_picture(tmp_path / "m1.png", field, Target.sphere(center_mm=(300, 0, 0)), coil, pose)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m1.jpg", "m1", "missing/m1.png"])
def test_a_name_that_cannot_be_written_is_refused(case, tmp_path, no_gl, name):
    with pytest.raises(InputError, match=r"must (be one of|exist)"):
        save_picture(tmp_path / name, *case)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"width_mm": 10}, {"dpi": 1e5}, {"width_mm": float("nan")}, {"theme": "blue"}])
def test_a_size_or_theme_no_page_can_have_is_refused(way, case, tmp_path, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        save_picture(tmp_path / "m1.png", *case, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_words_are_vectors_in_svg_and_pdf(way, case, tmp_path, suffix, start):
    report = save_picture(tmp_path / f"m1{suffix}", *case, width_mm=85, dpi=60)
    assert report.path.read_bytes().startswith(start)


def test_a_dark_narrow_picture_is_dark_and_tall(way, case, tmp_path):
    image = pixels(save_picture(tmp_path / "m1.png", *case, width_mm=85, dpi=80, theme="dark").path)
    assert image.shape[0] > 1.5 * image.shape[1]
    assert (image[0] == (0x15, 0x18, 0x1C)).all()
    assert colored(image) > 0.05


def test_the_title_says_coil_drive_and_the_summarys_numbers(case):
    field, target, coil, _ = case
    words = caption(field, target, coil)
    summary = field.summary(target)
    assert words.startswith("small figure-8 (induces +y), dI/dt 1 A/µs")
    assert f"upper left: mean |E| {summary['mean_magnitude']:.3g} V/m" in words
    assert f"gray matter: peak |E| {summary['peak']:.3g} V/m" in words
    assert caption(field, target, coil, summary=summary) == words


def test_a_target_is_also_a_word_or_a_point(way, case, tmp_path):
    field, target, coil, pose = case
    x, y, z = target.center_mm
    for given in (f"{x},{y},{z}", target.center_mm):
        assert "mean |E|" in caption(field, given)
        assert colored(pixels(save_picture(tmp_path / "m1.png", field, given, coil, pose, **SMALL).path)) > 0.05
    with pytest.raises(InputError, match="C3"):
        save_picture(tmp_path / "m1.png", field, "nowhere")


def test_the_title_says_that_other_coils_were_driven_too(case):
    field, target, coil, pose = case
    both = replace(field, others=(Drive(coil, pose, -1e6),))
    assert "with 1 more coil, not drawn" in caption(both, target, coil)
    assert "more coil" not in caption(field, target, coil)


def test_slices_leave_pyplot_alone(case, no_gl):
    from matplotlib import _pylab_helpers

    before = list(_pylab_helpers.Gcf.figs)  # other tests run in this process, too
    slice_figure(*case, **SMALL)
    assert list(_pylab_helpers.Gcf.figs) == before


def test_slices_pass_through_the_target_and_all_planes_share_a_scale(case, no_gl):
    figure = slice_figure(*case, **SMALL)
    whole, close = figure.axes[0:6:2], figure.axes[1:6:2]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["Sagittal, x = -17 mm", "Coronal, y = 0 mm", "Axial, z = 22 mm"]
    for row in (whole, close):
        scales = [
            [
                axes.get_window_extent().width / np.ptp(axes.get_xlim()),
                axes.get_window_extent().height / np.ptp(axes.get_ylim()),
            ]
            for axes in row
        ]
        np.testing.assert_allclose(scales, scales[0][0], rtol=1e-9)


@pytest.mark.skipif(not can_render(), reason="no OpenGL, so there is no plotter")
def test_a_plotter_has_two_panels_and_fits_a_notebook(case):
    plotter = field_plotter(*case, size=(400, 200), off_screen=True)
    assert plotter.shape == (1, 2)
    image = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    assert image.shape == (200, 400, 3)
    assert colored(image[:, :200]) > 0.02
    assert colored(image[:, 200:]) > 0.2


@pytest.mark.skipif(not can_render(), reason="no OpenGL, so there is no plotter")
def test_a_plot_without_a_display_says_nothing_on_the_terminal(case, capfd, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    plotter = case[0].plot(case[1], case[2])
    assert plotter.window_size[0] <= 960
    plotter.screenshot(return_img=True)
    plotter.close()
    assert capfd.readouterr() == ("", "")


def test_a_scene_without_gl_says_what_to_do(case, no_gl):
    with pytest.raises(MissingDependencyError, match="EFIELD_NO_GL"):
        field_plotter(*case)


def test_libraries_loaded_beforehand_are_those_a_picture_needs():
    """What a picture loads beyond them is small: nothing of the large packages' own."""
    script = """
import sys
from efield.viz.picture import load_libraries, save_picture
load_libraries()
before = set(sys.modules)
import efield.viz.sheet, efield.viz.slices
from efield.viz.page import new_page
new_page((400, 300), "words")
print(sorted(name for name in set(sys.modules) - before if name.split(".")[0] in ("matplotlib", "pyvista")))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixels_are_the_rounded_means_of_their_squares(factor):
    image = np.random.default_rng(factor).integers(0, 256, (6 * factor, 4 * factor, 3)).astype(np.uint8)
    squares = image.reshape(6, factor, 4, factor, 3).astype(float)
    assert np.array_equal(_averaged(image, factor), np.round(squares.mean(axis=(1, 3))))


def test_a_coil_s_name_stands_for_it_in_every_picture(case, no_gl):
    field, target, _, pose = case
    coil = load_coil("magstim-25mm-figure8")
    assert caption(field, target, coil.name) == caption(field, target, coil)
    texts = [
        [axes.get_title() for axes in figure.axes] + [text.get_text() for text in figure.texts]
        for figure in (slice_figure(field, target, one, pose, **SMALL) for one in (coil, coil.name))
    ]
    assert texts[0] == texts[1]
    for scene in (*field_scene(field, target, coil.name, pose), Scene(field.head).coil(coil.name, pose)):
        assert scene.coils[-1][0].name == coil.name
    with pytest.raises(InputError, match="coil must be a Coil, a name"):
        save_picture("never.png", field, target, 3, pose)
