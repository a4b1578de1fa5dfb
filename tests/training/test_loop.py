import copy

import numpy as np
import pytest
import torch
from torch import nn

from zslearn.errors import TrainingError
from zslearn.nets import Linear
from zslearn.training.loop import Loop, Rows
from zslearn.training.plan import Phase, Plan, Stage, Step
from zslearn.training.streams import Streams


class Two(nn.Module):
    """Two layers in a row, trained in turns."""

    def __init__(self, streams):
        super().__init__()
        self.first = Linear(4, 3, streams, "first")
        self.second = Linear(3, 4, streams, "second")
        self.calls = []

    def loss(self, step):
        noise = step.streams.normal("noise", *step.features.shape[len(step.streams.leading) :])
        error = self.second(self.first(step.features + 0.1 * noise)) - step.features
        return {"error": error.square().sum(-1).mean(-1)}

    def named_loss(self, name):
        def loss(step):
            self.calls.append((name, step.progress))
            return self.loss(step)

        return loss

    def plan(self, n_steps=6):
        first = Phase(name="first", trains=("first",), loss=self.named_loss("first"), repeats=2, learning_rate=0.01)
        second = Phase(name="second", trains=("second",), loss=self.named_loss("second"), learning_rate=0.01)
        both = Phase(name="both", trains=("first", "second"), loss=self.named_loss("both"), cosine=True)
        return Plan(
            (
                Stage(name="turns", phases=(first, second), n_steps=n_steps, batch_size=5, average=("second",)),
                Stage(name="nothing", phases=(both,), n_steps=0, batch_size=5),
                Stage(name="together", phases=(both,), n_steps=3, batch_size=5),
            )
        )


def make_rows(dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    return Rows(
        torch.randn(30, 4, generator=rng).to(dtype), torch.randint(5, (30,), generator=rng), torch.zeros(5, 2).to(dtype)
    )


def make_loop(seed=0, **options):
    model = Two(Streams(seed))
    return Loop(model, model.plan(**options), make_rows(), Streams(seed))


def weights(loop):
    return {name: value.clone() for name, value in loop.model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_phases_run_in_order_with_their_repeats():
    loop = make_loop(n_steps=2)
    loop.run()
    assert [name for name, _ in loop.model.calls] == ["first", "first", "second"] * 2 + ["both"] * 3
    assert [progress for name, progress in loop.model.calls if name == "both"] == [0, 1 / 3, 2 / 3]


def test_a_phase_moves_its_own_parameters_and_no_other():
    loop = make_loop()
    before = weights(loop)
    loop.step_phase()
    after = weights(loop)
    assert not torch.equal(before["first.weight"], after["first.weight"])
    assert torch.equal(before["second.weight"], after["second.weight"])
    assert all(parameter.grad is None for parameter in loop.model.parameters())


def test_the_first_update_is_adams():
    loop = make_loop()
    streams = Streams(0)
    batch = make_rows().draw(5, streams, "one")
    loss = loop.model.loss(Step(*batch, 0.0, streams))["error"]
    (gradient,) = torch.autograd.grad(loss, loop.model.second.weight)
    phase = Phase(name="second", trains=("second",), loss=loop.model.loss, learning_rate=0.01)
    before = loop.model.second.weight.detach().clone()
    plan = Plan((Stage(name="one", phases=(phase,), n_steps=1, batch_size=5),))
    Loop(loop.model, plan, make_rows(), Streams(0)).run()
    # Adam's first step has the size of the learning rate, whatever the gradient's.
    moved = (before - loop.model.second.weight).detach()
    torch.testing.assert_close(moved, 0.01 * gradient.sign(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("n_phases", range(1, 15))
def test_a_stopped_loop_continues_to_the_same_bits(n_phases):
    whole = make_loop()
    whole.run()
    stopped = make_loop()
    for _ in range(n_phases):
        stopped.step_phase()
    state = copy.deepcopy(stopped.state_dict())
    fresh = make_loop()
    fresh.load_state_dict(state)
    while not fresh.done:
        fresh.step_phase()
    assert same(weights(whole), weights(fresh))


def test_the_average_equals_a_recomputation():
    averaged, raw = make_loop(), make_loop()
    object.__setattr__(raw.plan.stages[0], "average", ())
    for step in range(6):
        averaged.step()
        raw.step()
        weight = raw.model.second.weight.detach().numpy().copy()
        decay = min(0.999, (1 + step) / (10 + step))
        expected = weight if step == 0 else decay * expected + (1 - decay) * weight
    np.testing.assert_allclose(averaged.model.second.weight.detach().numpy(), expected, rtol=1e-5)
    assert torch.equal(averaged.model.first.weight, raw.model.first.weight)


def test_a_term_that_is_not_finite_stops_and_is_named():
    loop = make_loop()
    with torch.no_grad():
        loop.model.first.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="'first.error' is not finite from step 1 of stage 'turns' on. Lower"):
        loop.run()


def test_the_first_step_that_was_not_finite_is_named():
    loop = make_loop(n_steps=30)
    for _ in range(7):
        loop.step()
    loop.check()
    with torch.no_grad():
        loop.model.second.bias[0, 0] = float("inf")
    for _ in range(5):
        loop.step()
    with pytest.raises(TrainingError, match="is not finite from step 8 of stage 'turns' on"):
        loop.check()


def test_a_gradient_that_is_not_finite_is_named():
    model = Two(Streams(0))

    def loss(step):
        # The square root is finite at 0, its slope is not.
        return {"root": (model.first(step.features) * 0).square().sum(-1).sqrt().mean(-1)}

    phase = Phase(name="rooted", trains=("first",), loss=loss)
    loop = Loop(model, Plan((Stage(name="one", phases=(phase,), n_steps=1, batch_size=5),)), make_rows(), Streams(0))
    with pytest.raises(TrainingError, match="a gradient of 'first' in stage 'one' is not finite"):
        loop.run()


def test_progress_counts_over_all_stages():
    reports = []
    make_loop().run(reports.append, every=2)
    assert [(r.stage, r.step, r.total_step, r.total_steps) for r in reports] == [
        ("turns", 1, 1, 9),
        ("turns", 3, 3, 9),
        ("turns", 5, 5, 9),
        ("turns", 6, 6, 9),
        ("together", 1, 7, 9),
        ("together", 3, 9, 9),
    ]


def test_several_seeds_train_as_one_like_each_alone():
    torch.set_default_dtype(torch.float64)
    try:
        many = Two(Streams([3, 8]))
        Loop(many, many.plan(n_steps=20), make_rows(torch.float64), Streams([3, 8])).run()
        for position, seed in enumerate((3, 8)):
            one = Two(Streams(seed))
            Loop(one, one.plan(n_steps=20), make_rows(torch.float64), Streams(seed)).run()
            for (_, together), (_, alone) in zip(many.named_parameters(), one.named_parameters(), strict=True):
                torch.testing.assert_close(together[position], alone, rtol=0, atol=1e-8)
    finally:
        torch.set_default_dtype(torch.float32)


def phases_of_one_network(*rates):
    """A training in which several phases move the same network, each with its step size and its own loss."""
    model = Two(Streams(0))
    phases = tuple(
        Phase(
            name=f"phase {place}",
            trains=("first", "second"),
            loss=lambda step, place=place: {"error": (model.first(step.features) - place).square().sum(-1).mean(-1)},
            learning_rate=7.0,
            own_rates={"first": rate},
        )
        for place, rate in enumerate(rates)
    )
    stage = Stage(name="one", phases=phases, n_steps=3, batch_size=5)
    return Loop(model, Plan((stage,)), make_rows(), Streams(0))


def test_a_network_has_one_adam_whichever_phase_moves_it():
    loop = phases_of_one_network(0.01, 0.002)
    weight = loop.model.first.weight.detach().clone().requires_grad_()
    bias = loop.model.first.bias.detach().clone().requires_grad_()
    adam = torch.optim.Adam([weight, bias], betas=(0.5, 0.999))
    rows, streams = make_rows(), Streams(0)
    for _ in range(3):
        for place, rate in enumerate((0.01, 0.002)):
            features, _, _ = rows.draw(5, streams, "one")
            adam.param_groups[0]["lr"] = rate
            error = (features @ weight.T + bias - place).square().sum(-1).mean()
            weight.grad, bias.grad = torch.autograd.grad(error, [weight, bias])
            adam.step()
    loop.run()
    torch.testing.assert_close(loop.model.first.weight.detach(), weight.detach(), rtol=1e-5, atol=1e-6)


def test_moments_of_one_adam_survive_a_stop_between_two_phases():
    whole, stopped = phases_of_one_network(0.01, 0.002), phases_of_one_network(0.01, 0.002)
    whole.run()
    for _ in range(3):
        stopped.step_phase()
    resumed = phases_of_one_network(0.01, 0.002)
    resumed.load_state_dict(stopped.state_dict())
    resumed.run()
    assert torch.equal(resumed.model.first.weight, whole.model.first.weight)


def test_progress_tells_the_terms_of_its_own_stage():
    reports = []
    make_loop().run(reports.append)
    for report in reports:
        assert set(report.terms) == {"turns": {"first.error", "second.error"}, "together": {"both.error"}}[report.stage]


def test_a_term_that_sets_in_late_leaves_its_parameters_alone_until_then():
    model = Two(Streams(0))
    before = model.second.weight.detach().clone()
    seen = []

    def loss(step):
        seen.append(torch.equal(model.second.weight, before))
        terms = {"size": model.first(step.features).square().sum(-1).mean(-1)}
        return terms if step.progress < 0.5 else {**terms, **model.loss(step)}

    phase = Phase(name="both", trains=("first", "second"), loss=loss)
    Loop(model, Plan((Stage(name="one", phases=(phase,), n_steps=4, batch_size=5),)), make_rows(), Streams(0)).run()
    assert seen == [True, True, True, False]


def test_a_state_survives_a_file(tmp_path):
    whole, stopped, fresh = make_loop(), make_loop(), make_loop()
    whole.run()
    for _ in range(5):
        stopped.step_phase()
    torch.save(stopped.state_dict(), tmp_path / "state.pt")
    fresh.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    fresh.run()
    assert same(weights(whole), weights(fresh))


def test_steps_done_are_counted_by_stage():
    loop = make_loop()
    for _ in range(8):
        loop.step()
    assert loop.n_done == [6, 0, 2]


def test_out_of_time_it_stops_after_the_step_with_the_averages_so_far():
    loop, reports = make_loop(), []
    loop.run(reports.append, max_seconds=1e-9)
    assert loop.done
    assert loop.n_done == [1, 0, 0]
    assert [report.step for report in reports] == [1]
    by_hand = make_loop()
    by_hand.step()
    average = by_hand._averages["second.weight"]
    assert torch.equal(loop.model.second.weight, average)


def test_a_limit_that_is_not_reached_changes_no_bit():
    limited, free = make_loop(), make_loop()
    limited.run(max_seconds=1e6)
    free.run()
    assert torch.equal(limited.model.first.weight, free.model.first.weight)
    assert limited.n_done == free.n_done == [6, 0, 3]


def test_time_before_a_resumption_counts():
    loop, resumed = make_loop(), make_loop()
    loop.run(max_seconds=1e6)
    half = make_loop()
    half.step()
    half.seconds = 100.0
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    resumed.run(max_seconds=99.0)
    assert resumed.n_done == [2, 0, 0]
