"""The naive path, against which everything else is held."""

from ._reference import Reference as Reference, captures_with_few_logits as captures_with_few_logits
