"""Several attention patterns of one block at once: the naive path puts all of them in, as hooks by hand do."""

import pytest
import torch

import mediation as med
from mediation import pattern

BASE = ["The capital of Italy is", "The cat of Mary is"]
SOURCE = ["The capital of France is", "The cat of John is"]
TOK = med.testing.tiny_tokenizer()
PARIS, ROME = (TOK(word, add_special_tokens=False)["input_ids"][0] for word in (" Paris", " Rome"))


def by_hand(net, heads, rows):
    """y01: the heads' outputs at `rows` are the source's probabilities times the base's values."""
    found = []
    for base, source in zip(BASE, SOURCE, strict=True):
        base, source = (torch.tensor([TOK(text)["input_ids"]]) for text in (base, source))
        with torch.no_grad():
            theirs = net(input_ids=source, output_attentions=True).attentions[1][0]
        attention, values = net.model.layers[1].self_attn, []
        handles = [attention.v_proj.register_forward_hook(lambda _, __, out, values=values: values.append(out.clone()))]

        def put(_, args, theirs=theirs, values=values):
            x = args[0].clone()
            for head in heads:
                group = slice(4 * (head // 2), 4 * (head // 2) + 4)  # two heads share keys and values
                for row in rows:
                    x[0, row, 4 * head : 4 * head + 4] = theirs[head, row] @ values[0][0, :, group]
            return (x,)

        handles.append(attention.o_proj.register_forward_pre_hook(put))
        with torch.no_grad():
            logits = net(input_ids=base).logits[0, -1]
        for handle in handles:
            handle.remove()
        found.append(float(logits[PARIS] - logits[ROME]))
    return found


CASES = {
    "two heads": (pattern(1, head=[0, 1], at="last"), (0, 1), (-1,)),
    "three heads": (pattern(1, head=[0, 2, 3], at="last"), (0, 2, 3), (-1,)),
    "two rows of one head": (pattern(1, head=2, at=1) | pattern(1, head=2, at=-1), (2,), (1, -1)),
    "two heads, two rows": (pattern(1, head=[1, 2], at=[2, -1]), (1, 2), (2, -1)),
}


@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
@pytest.mark.parametrize("case", CASES)
def test_all_of_them_are_exchanged(case, backend):
    sites, heads, rows = CASES[case]
    net = med.testing.tiny_model("llama")
    done = med.mediate(
        med.load(net, TOK), med.Pairs(base=BASE, source=SOURCE), sites.jointly(), med.LogitDiff(" Paris", " Rome"),
        estimands="pnie", backend=backend, n_resamples=99, rng=0, progress=False,
    )  # fmt: skip
    assert done.units["y01"].tolist() == pytest.approx(by_hand(net, heads, rows), abs=1e-5)
