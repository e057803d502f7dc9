"""Threads: runs on one module take turns, and a forward pass of the user's own in another thread stays plain."""

import threading

import pytest
import torch

import mediation as med
from mediation.models import in_use

PLACES = ["France", "Italy", "Germany", "Spain"]
BASE = [f"The capital of {place} is the city" for place in PLACES]
SOURCE = [f"The capital of {place} is the city" for place in PLACES[1:] + PLACES[:1]]
PAIRS = med.Pairs(base=BASE, source=SOURCE)
OUTCOME = med.LogitDiff(" Paris", " Rome")
OPTIONS = {"n_resamples": 99, "rng": 0, "progress": False}


def _together(*tasks):
    """Run tasks in threads that begin at once; return what they return, in order."""
    found, gate = [None] * len(tasks), threading.Barrier(len(tasks))

    def work(index, task):
        gate.wait()
        try:
            found[index] = task()
        except Exception as error:
            found[index] = error

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    return found


ARMS = (med.Zero(), med.Scale(3.0), med.Add(2.0))


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
@pytest.mark.parametrize("shared", ["model", "module", "compiled wrapper"])
def test_runs_in_threads_give_the_numbers_of_runs_one_by_one(shared):
    tokenizer = med.testing.tiny_tokenizer()
    net = med.testing.tiny_model("llama")
    want = [_estimates(med.load(med.testing.tiny_model("llama"), tokenizer), arm) for arm in ARMS]
    one = med.load(net, tokenizer)
    models = [one] * 3 if shared == "model" else [med.load(net, tokenizer) for _ in ARMS]
    if shared == "compiled wrapper":
        models[0] = med.load(torch.compile(net, backend="eager"), tokenizer)

    def task(model, arm):
        return lambda: [_estimates(model, arm) for _ in range(2)]

    found = _together(*[task(*pair) for pair in zip(models, ARMS, strict=True)])
    for got, expected in zip(found, want, strict=True):
        assert not isinstance(got, Exception), got
        for estimates in got:
            torch.testing.assert_close(estimates, expected, atol=1e-6, rtol=0)


def _estimates(model, arm):
    found = med.ablate(model, PAIRS, {"a": arm.at(med.residual(0))}, OUTCOME, **OPTIONS)
    return torch.tensor(found.tidy()["estimate"].to_numpy())


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
@pytest.mark.parametrize("site", [med.residual(0, at="last"), med.pattern(1, at="last")], ids=str)
def test_a_forward_pass_in_another_thread_is_plain(backend, site):
    model = med.load(med.testing.tiny_model("llama"), med.testing.tiny_tokenizer())
    ids = torch.tensor([model.tokenizer("The cat is in")["input_ids"]])
    with torch.no_grad():
        want = model.module(input_ids=ids).logits
    ended = threading.Event()

    def study():
        try:
            med.mediate(model, PAIRS, site, OUTCOME, backend=backend, fan_out=False, **OPTIONS)
        finally:
            ended.set()
        return "done"

    def own():
        passes = 0
        while not ended.is_set():
            with torch.no_grad():
                assert torch.equal(model.module(input_ids=ids).logits, want)
            passes += 1
        return passes

    done, passes = _together(study, own)
    assert done == "done"
    assert isinstance(passes, int), passes


def test_a_pass_in_another_thread_sees_no_hook_of_a_pass_that_is_open():
    """The other thread runs while the first one is inside a visit: what luck does above is made sure of here."""
    from mediation.engine import HookBackend, NnsightBackend, Visit

    model = med.load(med.testing.tiny_model("llama"))
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.no_grad():
        want = model.module(input_ids=ids).logits

    def elsewhere():
        with torch.no_grad():
            return model.module(input_ids=ids).logits

    for backend in (HookBackend(), NnsightBackend()):
        for io, path in (
            ("output", "model.layers.0"),
            ("input", "model.norm"),
            ("pattern", "model.layers.1.self_attn"),
        ):
            seen = []

            def visit(tensor, seen=seen):
                seen.extend(_together(elsewhere))
                return torch.zeros_like(tensor)

            changed = backend.forward(model, {"input_ids": ids}, [Visit(path, io, visit)], lambda out: out.logits)
            assert not torch.allclose(changed, want)
            assert torch.equal(seen[0], want), (backend.name, io)


def test_models_of_one_module_wait_for_each_other_and_parts_do_too():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    order, entered, leave = [], threading.Event(), threading.Event()

    def first():
        with in_use(med.load(net)):
            entered.set()
            leave.wait(timeout=60)
            order.append("first leaves")

    def second():
        entered.wait(timeout=60)
        threading.Timer(0.05, leave.set).start()
        with in_use(net[1]), in_use(net[1]):
            order.append("second enters")

    _together(first, second)
    assert order == ["first leaves", "second enters"]


def test_an_error_lets_the_next_thread_in():
    net = torch.nn.Linear(2, 2)

    def fails():
        with in_use(net), in_use(net):
            raise KeyError

    def enters():
        with in_use(net):
            return True

    assert isinstance(_together(fails)[0], KeyError)
    assert _together(enters) == [True]


def test_threads_that_would_wait_for_each_other_are_told():
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    gate = threading.Barrier(2)

    def both(first, second):
        def task():
            with in_use(first):
                gate.wait(timeout=60)
                with in_use(second):
                    return "entered"

        return task

    found = _together(both(one, other), both(other, one))
    errors = [one for one in found if isinstance(one, med.errors.BackendError)]
    assert len(errors) == 1
    assert "thread" in str(errors[0])
    assert "entered" in found
