"""The electric field that transcranial magnetic stimulation induces in the motor cortex.

Research software: not a medical device. See ``efield --help`` and the README.
"""

from pathlib import Path

from efield.ground.doors import doors
from efield.ground.own_folders import settle_kernels
from efield.ground.version import __version__ as __version__

settle_kernels(Path(__file__).parent)

# Each is imported when it is first used, so that `import efield` is quick.
__getattr__, __dir__, __all__ = doors(__name__, __file__)
