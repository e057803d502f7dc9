"""Models as this package sees them: a module tree, perhaps with a tokenizer and a known architecture."""

from ._architecture import Architecture as Architecture
from ._blocks import Block as Block
from ._load import load as load
from ._model import Model as Model
from ._reinitialised import reinitialised as reinitialised
from ._stream import input_width as input_width
from ._use import Use as Use, in_use as in_use, runs as runs
