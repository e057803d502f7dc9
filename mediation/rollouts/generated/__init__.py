"""Outcomes that are read off what a model generates after a prompt's pass."""

from ._outcome import Generated as Generated
from ._reader import GenerationReader as GenerationReader
