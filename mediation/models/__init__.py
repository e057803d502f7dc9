"""Models as this package sees them: a module tree, perhaps with a tokenizer and a known architecture."""

from ._architecture import Architecture as Architecture
from ._blocks import Block as Block
from ._config import said as said
from ._model import Model as Model
from ._reinitialised import reinitialised as reinitialised
from ._runs import runs as runs
from ._stream import input_width as input_width
from ._tensors import parts_of as parts_of, settings_of as settings_of, tensors_of as tensors_of
from ._use import Use as Use, every_module_called as every_module_called, in_use as in_use, own_thread as own_thread
from .loading import image_only as image_only, load as load
