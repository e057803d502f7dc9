"""Who is asked: units (pairs of inputs), their clusters, their tokens and named spans."""

from ._aligned import type_of_text as type_of_text
from ._encode import Encoded as Encoded, Encoding as Encoding, encode as encode
from ._pairs import Pairs as Pairs
from ._prompt import Prompt as Prompt, prompts as prompts
from ._spans import span_tokens as span_tokens
