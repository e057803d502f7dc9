"""A latent thought, as data: the model's own hidden states between two tokens."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal, final

from .._checks import number, one_of, positive_int, shown
from ..errors import DesignError
from ._markers import AnswerFrom, check_answer_from, check_markers, check_text

Hidden = Literal["post_norm", "pre_norm"] | int


@final
@dataclass(frozen=True, slots=True)
class Near:
    """A rule that ends a latent thought: the latest latent is near a vector that the model has learned.

    That latent is still fed; then the thought ends.

    Parameters
    ----------
    parameter
        Name of the vector among the model's parameters, such as ``"lvr_latent_end_emb"``.
    within
        The largest distance that counts as near.
    metric
        ``"mse"``: mean squared difference of the features. ``"cosine"``: 1 - cosine.

    Raises
    ------
    DesignError
        If an argument is not of its kind.

    Examples
    --------
    >>> Near("lvr_latent_end_emb", 0.5)
    Near(parameter='lvr_latent_end_emb', within=0.5, metric='mse')
    """

    parameter: str
    within: float
    metric: Literal["mse", "cosine"] = "mse"

    def __post_init__(self) -> None:
        if not isinstance(self.parameter, str) or not self.parameter:
            raise DesignError(f"Near: parameter = {shown(self.parameter)}: the name of a parameter is needed.")
        number(self.within, what="Near: within", least=0, needed="a distance of at least 0")
        one_of(self.metric, ("mse", "cosine"), what="Near: metric")


@final
@dataclass(frozen=True, slots=True)
class LatentSpec:
    """A latent thought: the model's own last hidden states are fed back to it in place of tokens.

    After the start token, z_1 = h(start) is the input embedding of the next position, z_2 = h(z_1) of the one
    after it, and so on; h is a hidden state of the last position (see `hidden`). Then the end token follows, or
    the model goes on as it likes. Each row of a batch has thoughts of its own. A prompt whose last token is
    `start` opens one at the first new position.

    Parameters
    ----------
    start, end
        The tokens around the thought, as strings: the same id means different tokens in different systems. Each
        must be one token of the tokenizer.
    steps
        How many latents are fed: exactly (``stop="steps"``) or at most. With 0 nothing is latent and nothing is
        forced, so the tokens are those of a plain rollout.
    pad
        The token that stands at latent positions in the recorded ids; for ``record="pad"``.
    stop
        What ends the thought before `steps` latents. ``"steps"``: nothing; what the model would have said
        during it is not looked at. ``"end_token"``: the model says `end`, at a latent or at the start token
        (an empty thought). `Near`: a latent near a vector.
    feed_start_token
        True: the start token is fed as a token, and `steps` latents follow it. False: the position of a
        generated start token is itself the first latent (it is fed the hidden state that predicted the start
        token), and ``steps - 1`` follow. A start token at the end of the prompt is always fed as a token.
    force_end
        True: the token after the last latent is `end`, whatever the model predicts. False: it is the model's own.
    record
        What the recorded ids hold at latent positions: ``"sampled"``, the token that the model would have said
        there, or ``"pad"``. Neither is fed. The id of a start token is always kept.
    projection
        Path of a module of the model that each hidden state goes through before it is fed, such as
        ``"lvr_head"``; None for the hidden state itself.
    project_first
        Whether the first latent, which comes from the start token's position, goes through it too.
    projection_speaks
        Whether the output projection too reads what that module makes of the state at a latent, as in LVR's code, so
        that it decides what is said there and after the last latent.
    hidden
        Which state is fed back: ``"post_norm"``, the vector that the output projection reads; ``"pre_norm"``, the last
        block's output before the final norm; or the number of a block, for its output.
    segments
        How many thoughts a generation may open; a later start token is an ordinary token. None for any number.
    eos_ends
        Whether an end-of-sequence token that is sampled inside a thought ends the row, or is ignored.
    answer_from
        What may be read once a thought has ended; each thought. ``"everything"``: all positions before, as models do
        by themselves. ``"thought"``: the thought and the question, read afresh. ``"prompt"``: all but the thought. See
        Notes.

    Raises
    ------
    DesignError
        If an argument is not of its kind, `start` is `end`, `record` is ``"pad"`` without a pad token, or
        `answer_from` hides something and no end token is forced.

    Notes
    -----
    With ``answer_from="thought"`` everything before is hidden from all later positions. Then these are fed again, from
    position 0: the latents as they were fed, the end token, and the tokens of the question (`Prompt.question`). What
    the model says at the last of them is the answer's first token, so that the answer is a function of thought and
    question alone. Hiding the prompt would not do: the thought's own positions have read the image, and their keys and
    values would carry it past the thought's vectors. So there is no direct effect, by construction.

    With ``answer_from="prompt"`` the thought's positions are hidden from the end token on, and later positions are
    counted as if the thought were empty. Where the start token's position is itself a latent, the start token is read
    before the end token. So the answer does not depend on the thought, and there is no indirect effect, by
    construction.

    What is read again is no output: it is not recorded, and does not count against ``max_new_tokens``. Interventions
    inside the model hold there too. Such a restriction at inference is a statement about a model only if it was trained
    that way: others were never asked to answer from a thought alone, and what they then say means little.

    Examples
    --------
    >>> LatentSpec("<think>", "</think>", steps=4, force_end=False).stop
    'steps'
    """

    start: str
    end: str
    _: KW_ONLY
    steps: int
    pad: str | None = None
    stop: Literal["steps", "end_token"] | Near = "steps"
    feed_start_token: bool = True
    force_end: bool = True
    record: Literal["sampled", "pad"] = "sampled"
    projection: str | None = None
    project_first: bool = True
    projection_speaks: bool = False
    hidden: Hidden = "post_norm"
    segments: int | None = None
    eos_ends: bool = False
    answer_from: AnswerFrom = "everything"

    def __post_init__(self) -> None:
        check_markers("LatentSpec", self.start, self.end)
        positive_int(self.steps, what="LatentSpec: steps", least=0)
        one_of(self.record, ("sampled", "pad"), what="LatentSpec: record")
        check_answer_from("LatentSpec", self.answer_from)
        if not isinstance(self.stop, Near):
            one_of(self.stop, ("steps", "end_token"), what="LatentSpec: stop")
        for name in ("feed_start_token", "force_end", "project_first", "projection_speaks", "eos_ends"):
            if not isinstance(getattr(self, name), bool):
                raise DesignError(f"LatentSpec: {name} = {shown(getattr(self, name))}: True or False is needed.")
        if self.projection is not None:
            check_text("LatentSpec", "projection", self.projection)
        if isinstance(self.hidden, bool) or not isinstance(self.hidden, int):
            one_of(self.hidden, ("post_norm", "pre_norm"), what="LatentSpec: hidden")
        if self.segments is not None:
            positive_int(self.segments, what="LatentSpec: segments")
        if self.answer_from != "everything" and not self.force_end:
            raise DesignError(
                f"LatentSpec(answer_from={self.answer_from!r}, force_end=False): the answer begins after an end token, "
                "and none need be fed after the last latent. Set force_end=True, or answer_from='everything'."
            )
        if self.pad is not None:
            check_text("LatentSpec", "pad", self.pad)
        elif self.record == "pad":
            raise DesignError(
                "LatentSpec(record='pad'): pad is missing. Name the token that stands at latent positions, such as "
                "pad='<|latent_pad|>', or ask for record='sampled'."
            )
