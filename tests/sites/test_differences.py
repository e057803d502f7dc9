"""`a - b` of sites: both sides are spelled out first, and what removes nothing is refused."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

import mediation as med
from mediation import Pairs, Site, SiteSet, attention, embedding, mlp, neurons, pattern, residual
from mediation.units import encode

OUTCOME = med.LogitDiff(" Paris", " Rome")
QUICK = {"n_resamples": 99, "rng": 0, "progress": False}
BASE = ["The capital of Italy is", "The cat of Mary is"]
SOURCE = ["The capital of France is", "The cat of John is"]


@pytest.fixture(scope="module")
def model():
    return med.load(med.testing.tiny_model("llama"), med.testing.tiny_tokenizer())


@pytest.fixture(scope="module")
def encoding(model):
    return encode(Pairs(base=BASE, source=SOURCE), model)


def named(kind, layer, **at):
    return [str(kind(layer, **{name: one})) for name, values in at.items() for one in values]


LEFT = {
    "heads of all layers": (
        attention(head="each") - attention(1, head=3),
        [f"attention[{i}].head[{h}]" for i in (0, 1) for h in range(4) if (i, h) != (1, 3)],
    ),
    "no layer named": (residual() - residual(1), ["residual[0]"]),
    "negative layer and head": (
        attention(-1, head="each") - attention(1, head=-1),
        [f"attention[1].head[{h}]" for h in (0, 1, 2)],
    ),
    "negative layer on the right": (mlp() - mlp(-2), ["mlp[1]"]),
    "one position": (residual(0, at="each") - residual(0, at=3), [f"residual[0]@{p}" for p in (0, 1, 2, 4)]),
    "last against an index": (residual(0, at="each") - residual(0, at="last"), [f"residual[0]@{p}" for p in range(4)]),
    "-1 against last": (
        (residual(0, at=-1) | residual(1, at="last")) - residual(0, at="last"),
        ["residual[1]@last"],
    ),
    "several positions at once": (residual(0, at="each") - residual(0, at=[0, -1]), named(residual, 0, at=[1, 2, 3])),
    "all positions of a layer": (
        residual(at="each") - residual(0),
        [f"residual[1]@{p}" for p in range(5)],
    ),
    "units": (
        neurons(0, "each", at="last") - neurons(0, range(1, 32), at="last"),
        ["neurons[0].units[0]@last"],
    ),
    "a set on the right": (
        attention(head="each") - (attention(0, head=[0, 1, 2]) | attention(1, head=range(4))),
        ["attention[0].head[3]"],
    ),
    "patterns": (pattern(0, head="each") - pattern(0, head=[0, 2]), ["pattern[0].head[1]", "pattern[0].head[3]"]),
    "two kinds": ((mlp() | attention()) - (mlp(0) | attention(1)), ["mlp[1]", "attention[0]"]),
    "a difference on the right": (mlp() - (mlp() - mlp(0)), ["mlp[0]"]),
    "twice": (
        attention(0, head="each") - attention(0, head=1) - attention(0, head=2),
        ["attention[0].head[0]", "attention[0].head[3]"],
    ),
    "joined after": ((mlp() - mlp(0)) | mlp(0), ["mlp[1]", "mlp[0]"]),
    "a path on the right": (mlp() - Site("model.layers.1.mlp"), ["mlp[0]"]),
    "one site without another of the same place": (
        embedding(at="each") - embedding(at=0),
        [f"embedding@{p}" for p in range(1, 5)],
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_left_in_order(case, model, encoding):
    sites, expected = LEFT[case]
    assert [str(site) for site in sites.expand(model, encoding)] == expected


@pytest.mark.parametrize("case", LEFT)
def test_frozen_hashable_and_printed_as_code(case, model, encoding):
    sites, expected = LEFT[case]
    again = eval(repr(sites), vars(med))
    assert again == sites
    assert hash(again) == hash(sites)
    assert [str(site) for site in again.expand(model, encoding)] == expected


@pytest.mark.parametrize("case", LEFT)
def test_jointly_stands_for_the_same_sites(case, model, encoding):
    sites, expected = LEFT[case]
    assert [str(site) for site in sites.jointly().sites.expand(model, encoding)] == expected


def test_spans_are_positions(model):
    pairs = Pairs(base=[[5, 6, 7, 8, 9]] * 2, spans={"subject": [(1, 3)] * 2})
    units = encode(pairs, model)
    assert [str(one) for one in (mlp(0, at="each") - mlp(0, at="subject")).expand(model, units)] == [
        "mlp[0]@0", "mlp[0]@3", "mlp[0]@4",
    ]  # fmt: skip
    assert [str(one) for one in (mlp(at="spans") - mlp(0, at="subject")).expand(model, units)] == ["mlp[1]@subject"]
    with pytest.raises(med.errors.SiteError, match=r"mlp\[0\]@2 is part of mlp\[0\]@subject"):
        (mlp(0, at="spans") - mlp(0, at=2)).expand(model, units)


REFUSED = {
    "another layer": (lambda: (mlp(0) | mlp(1)) - mlp(2), "removes nothing"),
    "another kind": (lambda: residual() - mlp(0), r"mlp\[0\] removes nothing"),
    "one of two": (
        lambda: attention(0, head="each") - (attention(0, head=1) | attention(1, head=2)),
        r"attention\[1\].head\[2\] removes nothing",
    ),
    "everything": (lambda: mlp() - mlp(), "no site in it"),
    "everything, spelled out": (lambda: mlp() - mlp([0, 1]), "no site in it"),
    "one site from itself": (lambda: mlp(1) - mlp(1), "no site in it"),
    "a head of the whole output": (lambda: attention(1) - attention(1, head=1), "head='each' on both"),
    "the whole output of heads": (lambda: attention(head="each") - attention(1), "head='each' on both"),
    "a position of all": (lambda: mlp(at="all") - mlp(0, at=-1), r"mlp\[0\]@-1 is part of mlp\[0\]"),
    "a unit of all": (lambda: neurons() - neurons(0, [3]), r"neurons\[0\].units\[3\] is part of neurons\[0\]"),
    "a head of a whole pattern": (lambda: pattern() - pattern(0, head=1), "is part of"),
    "some units of several": (lambda: neurons(0, [1, 2]) - neurons(0, [2, 3]), "is part of"),
    "twice the same": (lambda: (mlp() - mlp(0)) - mlp(0), "removes nothing"),
    "a layer out of range": (lambda: mlp() - mlp(7), "out of range"),
    "a text": (lambda: mlp() - "mlp.0", "a site or a set of sites"),
    "a list": (lambda: mlp(1) - [mlp(1)], "a site or a set of sites"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case, model, encoding):
    make, words = REFUSED[case]
    with pytest.raises(med.errors.SiteError, match=words):
        make().expand(model, encoding)


def test_positions_that_coincide_in_some_units_only_are_refused(model):
    units = encode(Pairs(base=["The capital of Italy is", "The cat is"]), model)
    with pytest.warns(med.errors.AlignmentWarning), pytest.raises(med.errors.SiteError, match="is part of"):
        (mlp(0, at="each") - mlp(0, at=1)).expand(model, units)


_SITES = st.one_of(
    st.builds(mlp, st.integers(0, 3)),
    st.builds(lambda layer, head: attention(layer, head=head), st.integers(0, 3), st.integers(0, 3)),
    st.builds(lambda layer, at: residual(layer, at=at), st.integers(0, 3), st.integers(0, 3)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_SITES, min_size=2, max_size=10, unique=True), st.data())
def test_union_without_the_second_is_the_first(some, data):
    cut = data.draw(st.integers(1, len(some) - 1))
    first, second = SiteSet(tuple(some[:cut])), SiteSet(tuple(some[cut:]))
    assert (first | second) - second == first
    assert ((first | second) - second).sites == first.sites
    with pytest.raises(med.errors.SiteError):
        first - first
    with pytest.raises(med.errors.SiteError, match="removes nothing"):
        first - second


def test_labels_say_what_is_patched():
    assert (
        str((attention(head="each") - attention(1, head=3)).jointly())
        == "attention[*].head[*] without attention[1].head[3]"
    )
    assert str((mlp(0) | residual(1, at="last")).jointly()) == "mlp[0] & residual[1]@last"
    many = SiteSet(tuple(mlp(i) for i in range(30)))
    other = SiteSet(tuple(mlp(i) for i in (*range(28), 31, 29)))
    assert str(many.jointly()).startswith("mlp[0] & ... & mlp[29] (30 in all, #")
    assert str(many.jointly()) != str(other.jointly())
    with pytest.raises(med.errors.SiteError, match="known once there are a model and inputs"):
        list(mlp() - mlp(0))  # fmt: skip


def projections(net, put):
    return {layer: net.get_submodule(f"model.layers.{layer}.self_attn.o_proj") for layer in put}


def seen_by(net, ids, put):
    """What the output projections of the layers in `put` read."""
    seen = {}
    handles = [
        module.register_forward_pre_hook(lambda _, args, layer=layer: seen.update({layer: args[0].clone()}))
        for layer, module in projections(net, put).items()
    ]
    with torch.no_grad():
        net(input_ids=torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return seen


def heads_by_hand(net, tok, put):
    """Outcome of each source input with the base's activations of the heads `put`, by layer, at the last token."""
    paris, rome = [tok(word, add_special_tokens=False)["input_ids"][0] for word in (" Paris", " Rome")]
    found = []
    for base, source in zip(BASE, SOURCE, strict=True):
        seen = seen_by(net, tok(base)["input_ids"], put)

        def change(args, layer, seen=seen):
            x = args[0].clone()
            for head in put[layer]:
                x[:, -1, 4 * head : 4 * head + 4] = seen[layer][:, -1, 4 * head : 4 * head + 4]
            return (x,)

        handles = [
            module.register_forward_pre_hook(lambda _, args, layer=layer, change=change: change(args, layer))
            for layer, module in projections(net, put).items()
        ]
        with torch.no_grad():
            logits = net(input_ids=torch.tensor([tok(source)["input_ids"]])).logits[0, -1]
        for handle in handles:
            handle.remove()
        found.append(float(logits[paris] - logits[rome]))
    return found


def test_all_heads_but_a_circuit_are_ablated(model):
    keep = attention(0, head=2, at="last") | attention(1, head=[0, 1], at="last")
    rest = attention(head="each", at="last") - keep
    pairs = Pairs(base=BASE, source=SOURCE)
    arm = med.Interchange(run="base").at(rest)
    found = med.ablate(model, pairs, arm, OUTCOME, run="source", **QUICK)
    expected = heads_by_hand(model.module, model.tokenizer, {0: (0, 1, 3), 1: (2, 3)})
    assert found.units["ym"].tolist() == pytest.approx(expected, abs=1e-5)
    assert found.tidy()["site"].tolist() == [str(rest)]
    swept = med.mediate(model, pairs, rest, OUTCOME, estimands="pnie", **QUICK).tidy()["site"].tolist()
    assert swept == [str(one) for one in rest.expand(model, encode(pairs, model))]
    assert len(swept) == 5
    joint = med.mediate(model, pairs, rest.jointly(), OUTCOME, estimands=["pnie", "tnie"], **QUICK)
    assert joint.units["y10"].tolist() == pytest.approx(expected, abs=1e-5)
    assert set(joint.tidy()["site"]) == {str(rest)}


def test_every_question_takes_a_difference(model, encoding):
    pairs = Pairs(base=BASE, source=SOURCE)
    scores = med.attribution(model, pairs, mlp() - mlp(0), OUTCOME, progress=False)
    assert set(scores["site"]) == {"mlp[1]"}
    states = med.probing.capture(model, pairs, residual(at="last") - residual(0, at="last"))
    assert states.values.reshape(2, -1).shape == (2, 16)
    done = med.ablate(model, pairs, med.Zero(), OUTCOME, sites=mlp() - mlp(1), **QUICK)
    assert done.tidy()["site"].tolist() == ["mlp[0]"]
