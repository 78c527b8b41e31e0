"""What lies beside the tests and is not installed: `benchmarks`, to be imported as a package."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "benchmarks"

if "benchmarks" not in sys.modules:
    _spec = spec_from_file_location("benchmarks", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)])
    sys.modules["benchmarks"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["benchmarks"])
