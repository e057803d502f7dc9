"""Differences between results: of two, and of several at once."""

from ._compare import Asked as Asked, Asking as Asking, compared as compared
from ._many import compared_many as compared_many
