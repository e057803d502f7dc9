"""Inputs changed before a run."""

from ._do import do as do
