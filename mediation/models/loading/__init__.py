"""Loading a model from whatever the user has: checkpoints, adapters, GGUF files, processors, modules."""

from ._load import load as load
from ._processor import image_only as image_only
