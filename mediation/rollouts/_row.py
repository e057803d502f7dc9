"""One unit on its way through a rollout: its tokens, its thoughts, and what is fed to it next."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import final

from torch import Tensor

from ..specs import LatentSpec, TextSpec
from ._again import Fed, marker_again, thought_again, tokens_again
from ._plan import Job, Rules
from ._trajectory import Segment, Stopped


@final
class Row:
    """The state of one row; `take` is told what the model has put out, and decides what comes next."""

    __slots__ = (
        "_again", "_closing", "_fed", "_free", "_left", "_mark", "_near", "_plain", "_queue", "_read", "_rules",
        "_said", "_since", "_thinking", "_writing", "answering", "flags", "ids", "job", "latents", "logits", "next",
        "opened", "scores", "scoring", "segments", "stopped", "values",
    )  # fmt: skip

    def __init__(self, job: Job, prompt: Sequence[int], rules: Rules) -> None:
        self.job = job
        self.ids: list[int] = []
        self.segments: list[Segment] = []
        self.latents: list[list[Tensor]] = []
        self.flags: list[str] = []
        self.scores: list[Tensor] = []
        self.logits: list[Tensor] = []
        self.next = Fed()
        self.answering = False
        self.stopped: Stopped | None = None
        self.values: tuple[float, ...] = ()
        self.scoring = False
        self._rules = rules
        self._plain: list[int] = []
        self._queue: deque[int] = deque()
        self._again: deque[Fed] = deque()
        self._read = -1
        self._since: int | None = None
        self._said: tuple[int, ...] = ()
        self._thinking = self._writing = self._closing = self._near = False
        self._free = True
        self._fed = self._left = self._mark = 0
        spec = rules.spec
        if rules.tokens is not None and prompt[-1] == rules.tokens.start and self._opens():
            self._open(0)
        self.opened = bool(self.segments)
        if isinstance(spec, TextSpec):
            tail = rules.tokenizer.decode(prompt[-_window(spec.start) :])
            self.opened = tail.rstrip().endswith(spec.start)
            if self.opened and self._follows_markers:
                self._write()

    def text_ids(self) -> list[int]:
        """Return the ids that are text: all but those of latent positions and the final end-of-sequence token."""
        return self._plain[:-1] if self.stopped == "eos" else self._plain

    @property
    def first(self) -> bool:
        """True if the next latent is the first of its thought."""
        return not self._thinking or self._fed == 0

    @property
    def at_latent(self) -> bool:
        """True if the position that has just been read was fed a latent."""
        return self.next.vector is not None

    @property
    def reading(self) -> bool:
        """True if what is fed next is read again, and nothing is said."""
        return bool(self._again)

    def give_up(self, flag: str, stopped: Stopped = "flagged") -> None:
        """End the row for a reason that is flagged."""
        self.stopped = stopped
        self.flags.append(flag)

    def take(self, sampled: int, hidden: Tensor | None, logits: Tensor) -> None:
        """Decide the next position.

        Parameters
        ----------
        sampled
            The token that the model would say.
        hidden
            What would be fed back as a latent, ``(hidden,)``; None without a latent spec.
        logits
            Of the next token, ``(vocabulary,)``; kept where an answer is scored.

        Raises
        ------
        UnplaceableError
            If a thought cannot be put here.
        """
        self._read += 1
        if self._again:
            self._go_on()
            return
        self.answering = False
        if self.scoring:
            self._score(logits)
        elif self._queue:
            self._append(self._queue.popleft(), forced=True)
            if not self._queue:
                self._wrote()
        elif self._thinking:
            assert hidden is not None
            self._think(sampled, hidden, logits)
        elif self._closing:
            self._closing = False
            self._after_thought(sampled, hidden, logits)
        else:
            self._say(sampled, hidden)

    # ------------------------------------------------------------------------------------------ latent thoughts
    def _opens(self) -> bool:
        spec = self._rules.spec
        assert isinstance(spec, LatentSpec)
        if spec.segments is not None and len(self.segments) >= spec.segments:
            if "several thoughts" not in self.flags:
                self.flags.append("several thoughts")
            return False
        return True

    def _open(self, at: int) -> None:
        spec, plan = self._rules.spec, self.job.plan
        assert isinstance(spec, LatentSpec)
        asked = plan.length(len(self.segments)) if plan is not None else None
        self._left, self._free = (spec.steps, True) if asked is None else (asked, False)
        self._fed, self._thinking, self._near = 0, True, False
        self._since, self._said = None, ()
        self.segments.append((at, at))
        self.latents.append([])

    def _think(self, sampled: int, hidden: Tensor, logits: Tensor) -> None:
        """Feed another latent, or end the thought."""
        spec, tokens, free = self._rules.spec, self._rules.tokens, self._free
        assert isinstance(spec, LatentSpec)
        assert tokens is not None
        # A thought that is replayed was ended by the model if it is shorter than it might be.
        cut = sampled == tokens.end if free else self._left == 0 and self._fed < spec.steps
        early = spec.steps > 0 and spec.stop == "end_token" and cut
        if self._left > 0 and not early and not (free and self._near):
            if spec.eos_ends and free and sampled in self._rules.eos:
                self._plain.append(sampled)
                self.ids.append(sampled)
                self.give_up("never closed", "eos")
            else:
                recorded = tokens.pad if spec.record == "pad" and tokens.pad is not None else sampled
                self._feed(recorded, hidden)
            return
        self._thinking = False
        if self.job.plan is not None:
            self.job.plan.closed(len(self.segments) - 1, self._fed)
        if not self.latents[-1] and spec.steps:
            self.flags.append("empty thought")
        if early or (spec.force_end and spec.steps):
            self._closing = True
            self._append(tokens.end, forced=True)
            self._hide((*self._said, tokens.end))
        else:
            self._after_thought(sampled, hidden, logits)

    def _feed(self, token: int, hidden: Tensor, *, shown: bool = False) -> None:
        tokens, plan, segment = self._rules.tokens, self.job.plan, len(self.segments) - 1
        assert tokens is not None
        vector = hidden if plan is None else plan.latent(segment, self._fed, hidden)
        if self._since is None:
            # Where the start token's own position is a latent, hiding the thought hides it too.
            self._since, self._said = self._read, (token,) if shown else ()
        self._fed += 1
        self._left -= 1
        self._near = tokens.is_near(vector)
        self.latents[-1].append(vector)
        self._append(token, latent=True, shown=shown)
        self.next = Fed(token, vector)
        self.segments[-1] = (self.segments[-1][0], len(self.ids))

    def _after_thought(self, sampled: int, hidden: Tensor | None, logits: Tensor) -> None:
        if self.job.answer is not None and len(self.segments) >= self.job.after:
            self._begin_scoring()
            self._score(logits)
        else:
            self._say(sampled, hidden)

    def _say(self, sampled: int, hidden: Tensor | None) -> None:
        tokens, spec = self._rules.tokens, self._rules.spec
        if tokens is None or sampled != tokens.start or not self._opens():
            self._append(sampled)
            if self._follows_markers and self.stopped is None:
                self._look_for_marker()
            return
        assert isinstance(spec, LatentSpec)
        self._open(len(self.ids) + spec.feed_start_token)
        if spec.feed_start_token or not self._left or hidden is None:
            self.segments[-1] = (len(self.ids) + 1, len(self.ids) + 1)
            self._append(sampled)
        else:
            self._feed(sampled, hidden, shown=True)

    # ------------------------------------------------------------------------------------------ written thoughts
    @property
    def _follows_markers(self) -> bool:
        """True if it matters where a written thought is, while it is written."""
        asked = self.job.plan is not None or self.job.answer is not None or self._rules.hides
        return isinstance(self._rules.spec, TextSpec) and asked

    def _look_for_marker(self) -> None:
        spec = self._rules.spec
        assert isinstance(spec, TextSpec)
        marker = spec.end if self._writing else spec.start
        recent = self._plain[max(self._mark, len(self._plain) - _window(marker)) :]
        if marker in self._rules.tokenizer.decode(recent):
            if self._writing:
                self._wrote()
            else:
                self._write()

    def _write(self) -> None:
        """Begin a written thought: what replaces it is queued, or the model writes it."""
        spec = self._rules.spec
        assert isinstance(spec, TextSpec)
        if self._rules.hides:
            # The last token of a marker that the model has said is the next that is read.
            count, self._said = marker_again(spec, self._plain[self._mark :], self._rules.tokenizer)
            self._since = self._read + 1 - count
        self._mark, self._writing = len(self._plain), True
        self.segments.append((self._mark, self._mark))
        body = self.job.plan.body(len(self.segments) - 1) if self.job.plan is not None else None
        if body is not None:
            self._queue.extend(body)

    def _wrote(self) -> None:
        """Go on after a written thought and its end marker."""
        body, spec = self._plain[self._mark :], self._rules.spec
        self._mark, self._writing = len(self._plain), False
        if spec is not None:
            self._hide(body if spec.answer_from == "thought" else self._said)
        if self.job.answer is not None and len(self.segments) >= self.job.after:
            self._begin_scoring()

    # ------------------------------------------------------------------------------------------ what answers read
    def _hide(self, tokens: Sequence[int]) -> None:
        """Hide what the answer may not read, and read the rest again; `tokens` close the thought."""
        rules = self._rules
        if not rules.hides or self.stopped is not None:
            return
        assert rules.spec is not None
        if rules.spec.answer_from == "prompt":
            self._again = deque(tokens_again(tokens, self._since))
        else:
            latents = self.latents[-1] if self.latents else []
            tokens = tokens[-1:] if isinstance(rules.spec, LatentSpec) else tokens
            self._again = deque(thought_again(latents, (*tokens, *rules.questions[self.job.prompt])))
        self.answering = True
        self._go_on()

    def _go_on(self) -> None:
        self.next = self._again.popleft()

    # ------------------------------------------------------------------------------------------ answers
    def _begin_scoring(self) -> None:
        assert self.job.answer is not None
        self.scoring = True
        self._queue = deque(self.job.answer)

    def _cue(self) -> None:
        """Go on after a whole generation with what is put there, in the place of an end-of-sequence token."""
        ended, self.stopped = self.stopped == "eos", None
        self._begin_scoring()
        if ended:
            del self.ids[-1], self._plain[-1]
            self._append(self._queue.popleft(), forced=True)

    def _score(self, logits: Tensor) -> None:
        self.logits = [*self.logits, logits][-self.job.kept :]
        if self._queue:
            self._append(self._queue.popleft(), forced=True)
        else:
            self.stopped = "scored"

    # ------------------------------------------------------------------------------------------ every position
    def _append(self, token: int, *, latent: bool = False, shown: bool = False, forced: bool = False) -> None:
        self.ids.append(token)
        self.next = Fed(token)
        if not latent or shown:
            self._plain.append(token)
        if not latent and not forced:
            if token in self._rules.eos:
                self.stopped = "eos"
            elif self._says_stop():
                self.stopped = "stop"
        if self.stopped is None and len(self.ids) >= self._rules.max_new_tokens and not self.scoring:
            self.stopped = "length"
            if self._thinking or self._queue:
                self.flags.append("never closed")
        if self.stopped is not None and self._rules.spec is None and self.job.answer is not None:
            self._cue()

    def _says_stop(self) -> bool:
        if not self._rules.stop:
            return False
        # A stop string is found as soon as it is complete, so the last tokens are enough.
        tail = self._rules.tokenizer.decode(self._plain[-_window(max(self._rules.stop, key=len)) :])
        return any(stop in tail for stop in self._rules.stop)


def _window(marker: str) -> int:
    """Return how many tokens hold a marker: each at least a quarter of a character, as one of UTF-8 may be four."""
    return 4 * len(marker) + 4
