"""Specs: where a thought begins and ends, and how it is decoded, as data."""

from __future__ import annotations

from ._latent import LatentSpec as LatentSpec, Near as Near
from ._systems import CAPIMAGINE as CAPIMAGINE, LVR as LVR, MIRAGE as MIRAGE, MONET as MONET
from ._text import Spec as Spec, TextSpec as TextSpec
