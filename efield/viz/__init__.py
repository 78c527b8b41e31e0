"""Pictures. Nothing below imports this."""

from typing import TYPE_CHECKING

from efield.ground.doors import doors

if TYPE_CHECKING:
    from efield.viz.coil_axes import axes_figure as axes_figure
    from efield.viz.coil_axes import save_axes_picture as save_axes_picture
    from efield.viz.coil_picture import coil_figure as coil_figure
    from efield.viz.coil_picture import save_coil_picture as save_coil_picture
    from efield.viz.comparison import compare_fields as compare_fields
    from efield.viz.films import save_film as save_film
    from efield.viz.films import save_turn as save_turn
    from efield.viz.map_panels import best_of_positions as best_of_positions
    from efield.viz.maps import save_sweep_map as save_sweep_map
    from efield.viz.maps import sweep_map as sweep_map
    from efield.viz.overview import field_plotter as field_plotter
    from efield.viz.overview import field_scene as field_scene
    from efield.viz.picture import field_figure as field_figure
    from efield.viz.picture import save_picture as save_picture
    from efield.viz.recording import recording_figure as recording_figure
    from efield.viz.recording import recording_maps as recording_maps
    from efield.viz.report import PictureReport as PictureReport
    from efield.viz.saving import save_scene as save_scene
    from efield.viz.scene import Scene as Scene
    from efield.viz.sheet import Panel as Panel
    from efield.viz.sheet import sheet_figure as sheet_figure
    from efield.viz.slices import slice_figure as slice_figure
    from efield.viz.uncertainty_picture import save_uncertainty_picture as save_uncertainty_picture
    from efield.viz.uncertainty_picture import uncertainty_figure as uncertainty_figure
    from efield.viz.views import View as View

#: Public names and the modules that hold them.
_HOMES = {
    "Panel": "efield.viz.sheet",
    "PictureReport": "efield.viz.report",
    "Scene": "efield.viz.scene",
    "View": "efield.viz.views",
    "axes_figure": "efield.viz.coil_axes",
    "best_of_positions": "efield.viz.map_panels",
    "coil_figure": "efield.viz.coil_picture",
    "compare_fields": "efield.viz.comparison",
    "field_figure": "efield.viz.picture",
    "field_plotter": "efield.viz.overview",
    "field_scene": "efield.viz.overview",
    "recording_figure": "efield.viz.recording",
    "recording_maps": "efield.viz.recording",
    "save_axes_picture": "efield.viz.coil_axes",
    "save_coil_picture": "efield.viz.coil_picture",
    "save_film": "efield.viz.films",
    "save_picture": "efield.viz.picture",
    "save_scene": "efield.viz.saving",
    "save_sweep_map": "efield.viz.maps",
    "save_turn": "efield.viz.films",
    "save_uncertainty_picture": "efield.viz.uncertainty_picture",
    "sheet_figure": "efield.viz.sheet",
    "slice_figure": "efield.viz.slices",
    "sweep_map": "efield.viz.maps",
    "uncertainty_figure": "efield.viz.uncertainty_picture",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = doors(__name__, _HOMES)
