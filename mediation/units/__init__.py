"""Who is asked: units (pairs of inputs), their clusters, their tokens and named spans."""

from ._aligned import type_of_text as type_of_text
from ._continuation import Continuations as Continuations
from ._encode import Encoded as Encoded, Encoding as Encoding, encode as encode
from ._encode_prompt import processed_ids as processed_ids, prompt_spans as prompt_spans
from ._inputs import digest as digest
from ._pairs import Pairs as Pairs
from ._prompt import Prompt as Prompt, prompts as prompts
from ._spans import RESERVED as RESERVED, running_offsets as running_offsets, span_tokens as span_tokens
