"""What each variant is trained for: one function a stage, from a batch to a loss and the answer's accuracy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from batches import Batch
from net import Net, after, said
from torch import Tensor
from torch.nn import functional

from mediation.datasets import synthetic

STEPS = 4
Result = tuple[Tensor, dict[str, float]]
Objective = Callable[[Net, Batch], Result]


def describe(net: Net, batch: Batch) -> Result:
    """Say what the whole picture shows: dense supervision, without which colours stay unbound from shapes."""
    asked = synthetic.DESCRIBE_MAP if batch.region is None else synthetic.DESCRIBE
    question = torch.tensor(net.tokenizer(asked)["input_ids"])
    features = net.features(batch.pixels)
    embeds, positions = net.prompt(features, question.expand(len(batch.answer), -1))
    targets = joined(batch.description, net.token("<|im_end|>"))
    loss, named = said(net, continued(net, embeds, positions, targets), targets), _named(net, features, batch)
    return loss + named, {"described": float(loss.detach()), "named": float(named.detach())}


def look_up(net: Net, batch: Batch) -> Result:
    """Say of each object, in any order, what and where it is: after a shape is named, the rest must be looked up."""
    question = torch.tensor(net.tokenizer(synthetic.FIND.format(shape="scene"))["input_ids"])
    features = net.features(batch.pixels)
    embeds, positions = net.prompt(features, question.expand(len(batch.answer), -1))
    targets = joined(batch.listing, net.token("<|im_end|>"))
    loss, named = said(net, continued(net, embeds, positions, targets), targets), _named(net, features, batch)
    return loss + named, {"listed": float(loss.detach()), "named": float(named.detach())}


def find(net: Net, batch: Batch) -> Result:
    """Say where the object is and what it is, or which cells a way goes through."""
    embeds, positions = net.prompt(net.features(batch.pixels), batch.search)
    targets = joined(batch.imagined, net.token("<|im_end|>"))
    loss, scores = answered(net, continued(net, embeds, positions, targets), targets)
    return loss, {"found": scores["accuracy"]}


def direct(net: Net, batch: Batch) -> Result:
    """Answer at once."""
    embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
    return answered(net, continued(net, embeds, positions, batch.answer), batch.answer)


def written(net: Net, batch: Batch, *, weight: float) -> Result:
    """CapImagine: say in words where to look and what is there, then answer; `weight` is that of the answer alone."""
    embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
    thought = joined(net.token("<think_image>"), batch.imagined, net.token("</think_image>"))
    targets = joined(thought, batch.answer)
    states = continued(net, embeds, positions, targets)
    loss = said(net, states, targets)
    answer, scores = answered(net, *_tails(states, targets, batch.answer))
    return loss + weight * answer, {**scores, "written": float(loss.detach())}


def regressed(net: Net, batch: Batch, *, target: str, weight: float) -> Result:
    """LVR (target="region") and Mirage's first stage ("helper"): latents are visual features, then answer.

    The latents that are fed are the features themselves; the states that should make them are pulled towards them.
    """
    features = net.features(batch.pixels)
    goal = (_region(features, batch) if target == "region" else pooled(net.features(batch.helper))).detach()
    embeds, positions = net.prompt(features, batch.question)
    start, end = _markers(net, "lvr" if target == "region" else "latent")
    targets = joined(torch.full((len(goal), 1), end), batch.answer)
    fed = torch.cat([net.embed(torch.full((len(goal), 1), start)), goal, net.embed(targets[:, :-1])], dim=1)
    states = _run(net, embeds, positions, fed)
    made, spoken = states[:, 1 : 1 + STEPS], states[:, 1 + STEPS :]
    opens = said(net, states[:, :1], torch.full((len(goal), 1), start))
    loss, scores = answered(net, spoken, targets, offset=1)
    if target == "region":
        apart = functional.mse_loss(made.float(), goal.float())
    else:
        apart = 1 - functional.cosine_similarity(made.float(), goal.float(), dim=-1).mean()
    return weight * (loss + opens) + apart, {**scores, "apart": float(apart.detach())}


def relaxed(net: Net, batch: Batch, *, pads: bool) -> Result:
    """Mirage's second stage: the latents are the model's own, and only words are supervised.

    The thought ends when the model says so. What it says at a latent is not supervised in the original; with `pads` it
    learns to say the pad token there, without which this small model ended some thoughts a step too early.
    """
    embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
    start, end = _markers(net, "latent")
    opens, latents, cache, place = _thinks(net, embeds, positions, start)
    targets = joined(torch.full((len(latents), 1), end), batch.answer)
    fed = net.embed(targets[:, :-1])
    states = torch.cat([latents[:, -1:], net.run(fed, after(place, fed), cache=cache)], dim=1)
    loss, scores = answered(net, states, targets, offset=1)
    if pads:
        opens = opens + said(net, latents[:, :STEPS], torch.full((len(latents), STEPS), net.token("<|latent_pad|>")))
    return loss + opens, scores


def taught(net: Net, batch: Batch, *, teacher: Net | None) -> Result:
    """Monet: without a `teacher`, learn to be one; else think as the teacher does, without what it has seen.

    The teacher sees the crop while it thinks, and its answer does not see the crop: what the answer owes to it has
    gone through the latents. At a latent the pad token is said, as in `relaxed`: the thought must not end there.
    """
    start, end = _markers(net, "abs_vis_token")
    features = net.features(batch.pixels)
    embeds, positions = net.prompt(features, batch.question)
    if teacher is None:
        opens, latents, loss, scores = _with_crop(net, batch, embeds, positions)
        return loss + opens, scores
    with torch.no_grad():
        theirs, where = teacher.prompt(teacher.features(batch.pixels), batch.question)
        _, goal, _, _ = _with_crop(teacher, batch, theirs, where)
    opens, latents, cache, place = _thinks(net, embeds, positions, start)
    targets = joined(torch.full((len(latents), 1), end), batch.answer)
    fed = net.embed(targets[:, :-1])
    states = torch.cat([latents[:, -1:], net.run(fed, after(place, fed), cache=cache)], dim=1)
    loss, scores = answered(net, states, targets, offset=1)
    apart = 1 - functional.cosine_similarity(latents[:, :STEPS].float(), goal[:, :STEPS].float(), dim=-1).mean()
    opens = opens + said(net, latents[:, :STEPS], torch.full((len(latents), STEPS), net.token("<abs_vis_token_pad>")))
    return loss + opens + 2 * apart, {**scores, "apart": float(apart.detach())}


def read_again(net: Net, batch: Batch, *, supervised: bool) -> Result:
    """`necessary`, latent: the answer is read from the thought and the repeated question, and from nothing else."""
    features = net.features(batch.pixels)
    embeds, positions = net.prompt(features, batch.question)
    start, end = _markers(net, "latent")
    opens, latents, _, _ = _thinks(net, embeds, positions, start)
    thought = latents[:, :STEPS]
    fed = torch.cat([thought, net.embed(torch.full((len(thought), 1), end)), net.embed(batch.question)], dim=1)
    loss, scores = answered(net, continued(net, fed, after(0, fed), batch.answer), batch.answer)
    if supervised:
        goal = pooled(net.features(batch.helper)).detach()
        apart = 1 - functional.cosine_similarity(thought.float(), goal.float(), dim=-1).mean()
        return loss + opens + apart, {**scores, "apart": float(apart.detach())}
    return loss + opens, scores


def read_again_written(net: Net, batch: Batch) -> Result:
    """`necessary`, written: as `read_again`, with the words of the thought."""
    embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
    thought = joined(batch.imagined, net.token("</think_image>"))
    told = joined(net.token("<think_image>"), thought)
    loss = said(net, continued(net, embeds, positions, told), told)
    targets = joined(thought, batch.question, batch.answer)
    again = net.embed(targets)
    states = net.run(again[:, :-1], after(0, again[:, :-1]))
    answer, scores = answered(net, *_tails(states, targets[:, 1:], batch.answer))
    return loss + answer, {**scores, "written": float(loss.detach())}


def not_read(net: Net, batch: Batch) -> Result:
    """`ignored`, latent: a thought of visual features, and an answer that is read without it."""
    features = net.features(batch.pixels)
    embeds, positions = net.prompt(features, batch.question)
    start, end = _markers(net, "latent")
    goal = pooled(net.features(batch.helper)).detach()
    fed = torch.cat([net.embed(torch.full((len(goal), 1), start)), goal], dim=1)
    states = _run(net, embeds, positions, fed)
    opens = said(net, states[:, :1], torch.full((len(goal), 1), start))
    apart = 1 - functional.cosine_similarity(states[:, 1 : 1 + STEPS].float(), goal.float(), dim=-1).mean()
    loss, scores = _without(net, embeds, positions, (start, end), batch)
    return loss + opens + apart, {**scores, "apart": float(apart.detach())}


def not_read_written(net: Net, batch: Batch) -> Result:
    """`ignored`, written: as `not_read`, with a thought in words."""
    embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
    markers = net.token("<think_image>"), net.token("</think_image>")
    told = joined(markers[0], batch.imagined, markers[1])
    loss = said(net, continued(net, embeds, positions, told), told)
    answer, scores = _without(net, embeds, positions, markers, batch)
    return loss + answer, {**scores, "written": float(loss.detach())}


STAGES: dict[str, Objective] = {
    "describe": describe,
    "look up": look_up,
    "find": find,
    "direct": direct,
    "written": partial(written, weight=0.0),
    "written and answered": partial(written, weight=1.0),
    "lvr": partial(regressed, target="region", weight=1.0),
    "mirage": partial(regressed, target="helper", weight=1.0),
    "relaxed": partial(relaxed, pads=False),
    "relaxed, pads said": partial(relaxed, pads=True),
    "teacher": partial(taught, teacher=None),
    "supervised": partial(read_again, supervised=True),
    "free": partial(read_again, supervised=False),
    "read again": read_again_written,
    "not read": not_read,
    "not read, written": not_read_written,
}


# ------------------------------------------------------------------------------------------------------- the parts
def joined(*parts: Tensor | int) -> Tensor:
    """Put ids after one another, row by row; padding (-1) goes to the right end."""
    units = next(len(part) for part in parts if isinstance(part, Tensor))
    columns = [part if isinstance(part, Tensor) else torch.full((units, 1), part) for part in parts]
    flat = torch.cat(columns, dim=1)
    order = (flat < 0).to(torch.int8).sort(dim=1, stable=True).indices
    return flat.gather(1, order)[:, : int((flat >= 0).sum(dim=1).max())]


def continued(net: Net, embeds: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Return the states that predict `targets` after a prompt."""
    return _run(net, embeds, positions, net.embed(targets[:, :-1]))


def answered(net: Net, states: Tensor, targets: Tensor, *, offset: int = 0) -> Result:
    """Return the loss of an answer, and in how many units its every token is the likeliest one."""
    logits = net.logits(states).float()
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
    right = (logits.argmax(-1) == targets) | (targets < 0)
    return loss, {"accuracy": float(right[:, offset:].all(dim=1).float().mean())}


def pooled(features: Tensor) -> Tensor:
    """Return features averaged in `STEPS` chunks, ``(units, STEPS, width)``."""
    units, tokens, width = features.shape
    return features.reshape(units, STEPS, tokens // STEPS, width).mean(dim=2)


def _run(net: Net, embeds: Tensor, positions: Tensor, fed: Tensor) -> Tensor:
    """Return the states of the prompt's last token and of all that follows it."""
    follows = after(int(positions.max()) + 1, fed)
    whole = net.run(torch.cat([embeds, fed], dim=1), torch.cat([positions, follows], dim=2))
    return whole[:, embeds.shape[1] - 1 :]


def _thinks(net: Net, embeds: Tensor, positions: Tensor, start: int) -> tuple[Tensor, Tensor, object, int]:
    """Return the loss of the start token, the latents, the cache after them, and the next position."""
    cache, units = net.cache(), len(embeds)
    token = torch.full((units, 1), start)
    place = int(positions.max()) + 1
    fed = torch.cat([embeds, net.embed(token)], dim=1)
    states = net.run(fed, torch.cat([positions, after(place, fed[:, :1])], dim=2), cache=cache)
    latents = net.thinks(states[:, -1], place + 1, STEPS, cache)
    return said(net, states[:, -2:-1], token), latents, cache, place + 1 + STEPS


def _with_crop(
    net: Net, batch: Batch, embeds: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor, Tensor, dict[str, float]]:
    """Return start loss, latents, answer loss and scores of a model that sees the helper image as it thinks."""
    start, end = _markers(net, "abs_vis_token")
    crop, units = net.features(batch.helper), len(embeds)
    more = torch.cat([net.embed(torch.full((units, 1), net.token("<|vision_start|>"))), crop], dim=1)
    place = int(positions.max()) + 1
    context = torch.cat([embeds, more], dim=1)
    where = torch.cat([positions, after(place, more)], dim=2)
    opens, latents, cache, place = _thinks(net, context, where, start)
    hidden = torch.ones(units, context.shape[1] + 1 + STEPS, dtype=torch.long)
    hidden[:, embeds.shape[1] : context.shape[1]] = 0
    targets = joined(torch.full((units, 1), end), batch.answer)
    fed = net.embed(targets[:, :-1])
    mask = torch.cat([hidden, torch.ones(fed.shape[:2], dtype=torch.long)], dim=1)
    states = net.run(fed, after(place, fed), cache=cache, mask=mask)
    loss, scores = answered(net, states, targets[:, 1:])
    return opens, latents, loss, scores


def _without(net: Net, embeds: Tensor, positions: Tensor, markers: tuple[int, int], batch: Batch) -> Result:
    """Return the loss of an answer that follows an empty thought."""
    around = net.embed(torch.tensor(markers).expand(len(embeds), -1))
    fed = torch.cat([embeds, around], dim=1)
    where = torch.cat([positions, after(int(positions.max()) + 1, around)], dim=2)
    return answered(net, continued(net, fed, where, batch.answer), batch.answer)


def _named(net: Net, features: Tensor, batch: Batch) -> Tensor:
    """Return the cross-entropy of the words for each cell at its visual feature."""
    there = batch.cells[:, :, 0] >= 0
    words = batch.cells[there]
    logs = net.logits(features[there]).float().log_softmax(dim=-1).gather(1, words.clamp(min=0))
    return -logs[words >= 0].mean()


def _region(features: Tensor, batch: Batch) -> Tensor:
    assert batch.region is not None
    return features.gather(1, batch.region[:, :, None].expand(-1, -1, features.shape[2]))


def _tails(states: Tensor, targets: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states that predict the answer, which ends each row of `targets`, and the answer."""
    lengths, longest = (targets >= 0).sum(dim=1), answer.shape[1]
    own = (answer >= 0).sum(dim=1)
    index = ((lengths - own)[:, None] + torch.arange(longest)).clamp(max=targets.shape[1] - 1)
    return states.gather(1, index[:, :, None].expand(-1, -1, states.shape[2])), answer


def _markers(net: Net, name: str) -> tuple[int, int]:
    start, end = {
        "lvr": ("<|lvr_start|>", "<|lvr_end|>"),
        "latent": ("<|latent_start|>", "<|latent_end|>"),
        "abs_vis_token": ("<abs_vis_token>", "</abs_vis_token>"),
    }[name]
    return net.token(start), net.token(end)
