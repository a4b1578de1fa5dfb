"""What ``test_fast_paths.py`` does in a process whose types are not checked at run time, which cannot be compiled."""

import json
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from short_trainings import trained

from toy import toy_dataset
from zslearn.nets import Perceptron
from zslearn.training.loop import Loop, Rows
from zslearn.training.plan import Phase, Plan, Stage
from zslearn.training.streams import Streams


class Penalised(torch.nn.Module):
    """A network whose slope is differentiated, which compiled code cannot be a second time."""

    def __init__(self):
        super().__init__()
        self.critic = Perceptron((4, 8, 1), Streams(0), "critic")

    def slope(self, step):
        there = step.features + 0.1 * step.streams.normal("noise", *step.features.shape)
        there = there.requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(there).sum(), there, create_graph=True)
        return {"slope": gradient.square().sum(1).mean()}


def gap(one, other):
    """Return the largest difference between two states."""
    return max(float((mine - theirs).abs().max()) for mine, theirs in zip(one.values(), other.values(), strict=True))


def steps_of_penalised(compiled):
    """Return parameters and generators after three steps."""
    model, streams = Penalised(), Streams(5)
    phase = Phase(name="critic", trains=("critic",), loss=model.slope, learning_rate=0.01)
    plan = Plan((Stage(name="only", phases=(phase,), n_steps=3, batch_size=6),))
    rows = Rows(torch.linspace(-1, 1, 40).reshape(10, 4), torch.zeros(10, dtype=torch.int64), torch.ones(1, 2))
    Loop(model, plan, rows, streams, compiled=compiled).run()
    return model.state_dict(), {name: state.double() for name, state in streams.state_dict().items()}


def both(train):
    """Return what plain and compiled training come to, and what the user is warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", RuntimeWarning)
        pair = train(False), train(True)
    return *pair, [str(each.message) for each in told if issubclass(each.category, RuntimeWarning)]


answers = {}
for name, settings in (("f-clswgan", {}), ("skd", {"adversarial_weight": 1.0, "sp_seen": True})):
    (plain, terms, moved), (compiled, compiled_terms, _), told = both(
        lambda compiled, name=name, settings=settings: trained(name, settings, toy_dataset(), compiled=compiled)
    )
    answers[name] = {
        "moved": moved,
        "gap": gap(plain, compiled),
        "gap of terms": max(abs(one - other) for one, other in zip(terms, compiled_terms, strict=True)),
        "told": told,
        "graphs": torch._dynamo.utils.counters["stats"]["unique_graphs"],
    }
plain, compiled, told = both(steps_of_penalised)
answers["penalised"] = {"gap": max(gap(*pair) for pair in zip(plain, compiled, strict=True)), "told": told}
json.dump(answers, sys.stdout)
