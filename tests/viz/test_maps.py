"""Maps of a sweep over a grid."""

from dataclasses import replace

import numpy as np
import pytest
import xarray

from efield.ground.errors import InputError
from efield.sweeping.grid import PlacementGrid
from efield.viz.map_panels import best_of_positions
from efield.viz.map_sheet import MapPanel, map_sheet, save_map_sheet
from efield.viz.maps import save_sweep_map, sweep_map


def table(pattern="hex", angles=(0.0, 60.0, 120.0), medial_x=1.0):
    """A sweep without a head: the best angle of a position is 60 degrees, its value falls with the distance."""
    grid = PlacementGrid(radius_mm=12.0, spacing_mm=6.0, angles_deg=angles, pattern=pattern)
    position, turned = (index.ravel() for index in np.indices((len(grid.offsets_mm), len(angles))))
    u, v = grid.offsets_mm[position].T
    angle = np.array(angles)[turned]
    value = 1.0 - np.hypot(u - 6.0, v) / 40.0 - np.abs(angle - 60.0) / 1000.0
    coordinates = {
        name: ("placement", values)
        for name, values in {"position": position, "u_mm": u, "v_mm": v, "angle_deg": angle}.items()
    }
    plane = np.eye(4)
    plane[0, 0] = medial_x
    note = {"units": "V/m", "long_name": "volume mean of |E| in the target"}
    variables = {"mean_magnitude": ("placement", value, note), "plane": (("row", "column"), plane)}
    attributes = {"coil_name": "ring", "target": "hand", "didt": 2e6, "engine": "full"}
    return xarray.Dataset(variables, coordinates, attributes)


def test_the_best_of_each_position_is_the_largest_value_and_its_angle():
    data = table()
    best = best_of_positions(data, "mean_magnitude")
    assert len(best.value) == len(np.unique(data.position))
    assert (best.angle_deg == 60.0).all()
    np.testing.assert_allclose(best.value, 1.0 - np.hypot(best.u_mm - 6.0, best.v_mm) / 40.0)
    np.testing.assert_array_equal(data.mean_magnitude.values[best.placement], best.value)


def test_what_is_not_known_is_left_out_and_a_position_with_nothing_is_blank():
    data = table()
    data["mean_magnitude"][:3] = np.nan  # all of the first position
    data["mean_magnitude"][4] = np.nan  # the best angle of the second
    best = best_of_positions(data, "mean_magnitude")
    assert np.isnan(best.value[0])
    assert np.isnan(best.angle_deg[0])
    assert best.placement[0] == -1
    assert best.angle_deg[1] in (0.0, 120.0)
    assert len(sweep_map(data).axes[0].collections[0].get_array()) == len(best.value) - 1


@pytest.mark.parametrize("pattern", ["square", "hex"])
def test_cells_touch_and_do_not_overlap(pattern):
    axes = sweep_map(table(pattern)).axes[0]
    paths = axes.collections[0].get_paths()
    corners = np.array([path.vertices[: 6 if pattern == "hex" else 4] for path in paths])
    x, y = corners[..., 0], corners[..., 1]
    areas = 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))
    np.testing.assert_allclose(areas, 36.0 * (np.sqrt(0.75) if pattern == "hex" else 1.0), rtol=1e-9)


def test_medial_is_toward_the_midline_on_the_page():
    left, right = (sweep_map(table(medial_x=sign)).axes[0].get_xlim() for sign in (1.0, -1.0))
    assert left[0] < left[1]
    assert right[0] > right[1]


def test_the_picture_says_what_it_shows(tmp_path):
    figure = sweep_map(table())
    texts = [text.get_text() for text in figure.texts] + [axes.get_title() for axes in figure.axes]
    words = " ".join(texts + [axes.get_ylabel() for axes in figure.axes])
    for expected in ("ring", "hand", "2 A/µs", "mean |E| in the target", "V/m"):
        assert expected in words
    save_sweep_map(tmp_path / "map.png", table())
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_one_position_and_one_angle_can_be_drawn():
    data = table(angles=(60.0,)).isel(placement=slice(0, 1))
    assert best_of_positions(data, "mean_magnitude").placement.tolist() == [0]
    sweep_map(data)


def test_a_sweep_that_is_no_map_is_refused():
    data = table()
    with pytest.raises(InputError, match="PlacementGrid"):
        sweep_map(data.drop_vars("u_mm"))
    with pytest.raises(InputError, match="isel"):
        sweep_map(data.assign(mean_magnitude=data.mean_magnitude.expand_dims(coil=2)))
    with pytest.raises(InputError, match="finished"):
        sweep_map(data.assign(mean_magnitude=data.mean_magnitude * np.nan))
    with pytest.raises(InputError, match="measure must be one of"):
        sweep_map(data, measure="loudness")


def test_a_suffix_that_is_no_picture_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"suffix of a map must be one of \.png"):
        save_sweep_map(tmp_path / "map.xyz", table())
    assert not list(tmp_path.iterdir())


def test_of_an_angle_the_smallest_is_the_best():
    data = table()
    off = xarray.DataArray(np.abs(data.angle_deg - 60.0) + np.hypot(data.u_mm - 6.0, data.v_mm), attrs={"units": "deg"})
    data = data.assign(angle=("placement", off.values, off.attrs))
    best = best_of_positions(data, "angle")
    assert (best.angle_deg == 60.0).all()
    np.testing.assert_allclose(best.value, np.hypot(best.u_mm - 6.0, best.v_mm))
    for axes in (*sweep_map(data, measure="angle").axes[:2], map_sheet([MapPanel("a", "b", data, "angle")]).axes[0]):
        circle = next(line for line in axes.lines if line.get_label() == "best")
        assert (float(circle.get_xdata()[0]), float(circle.get_ydata()[0])) == (6.0, 0.0)
    unknown = data.assign(angle=data.angle.where(data.position != best.top))
    assert best_of_positions(unknown, "angle").placement[best.top] == -1


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_the_words_around_a_sheets_maps_are_on_the_page_and_apart(columns):
    panels = [
        MapPanel(row, f"c{k}", table(), "mean_magnitude") for row in ("a, hand", "b, hand") for k in range(columns)
    ]
    panels = [replace(panel, dataset=panel.dataset.rename(mean_magnitude="along"), measure="along") for panel in panels]
    page = map_sheet(panels, "coils")
    page.canvas.draw()
    drawn = page.canvas.get_renderer()
    maps = [axes for axes in page.axes if axes.get_ylabel()]
    names = [axes.yaxis.label.get_window_extent(drawn) for axes in maps]
    assert len(names) == 2
    assert all(name.x0 >= 0 for name in names)
    assert names[0].y0 > names[1].y1
    below = maps[1].get_tightbbox(drawn).y0
    assert page.texts[-1].get_window_extent(drawn).y1 < below


def test_a_sheet_has_a_map_for_each_cell_and_the_same_colors_in_a_row(tmp_path):
    data = table()
    weaker = data.assign(mean_magnitude=0.5 * data.mean_magnitude)
    panels = [
        MapPanel(row, column, found, "mean_magnitude")
        for row in ("a, hand", "b, hand")
        for column, found in (("ring", data), ("disc", weaker))
    ]
    page = map_sheet(panels, "two coils")
    maps = [axes for axes in page.axes if axes.collections and "best" in {line.get_label() for line in axes.lines}]
    assert [axes.get_title() for axes in maps] == ["ring", "disc", "", ""]
    clims = [axes.collections[0].get_clim() for axes in maps]
    assert clims[0] == clims[1] == (0.0, 1.0)
    save_map_sheet(tmp_path / "sheet.png", panels)
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="7 and 1: choose"):
        map_sheet([MapPanel(str(row), "ring", data, "mean_magnitude") for row in range(7)])


def test_beyond_the_midline_arrows_point_as_the_current_does():
    """There medial is the other way: the same direction in the head has the opposite angle."""
    data, current = table(angles=(0.0, 60.0, 300.0)), np.array([np.sin(np.radians(60.0)), np.cos(np.radians(60.0)), 0])
    plane = np.eye(4)
    plane[:3, 3] = [-2.0, 0.0, 90.0]
    centers = np.column_stack([data.u_mm - 2.0, data.v_mm, np.full(data.sizes["placement"], 94.0)])
    medial = np.where(centers[:, 0] <= 0, 1.0, -1.0)
    angle = np.radians(data.angle_deg.values)
    way = np.column_stack([medial * np.sin(angle), np.cos(angle), 0 * angle])
    poses = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (len(centers), 1, 1))
    poses[:, :3, 3] = centers
    data = data.assign(
        along=("placement", way @ current),
        pose=(("placement", "row", "column"), poses),
        plane=(("row", "column"), plane),
        distance_mm=("placement", np.full(len(centers), 4.0)),
    )
    best = best_of_positions(data, "along")
    assert set(best.angle_deg) == {60.0, 300.0}
    np.testing.assert_allclose(np.sin(np.radians(best.in_plane_deg)), current[0])
