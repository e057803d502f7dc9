"""From a question to a study: everything is checked before the first batch."""

from ._make import expand_world as expand_world, inside as inside, make_study as make_study
