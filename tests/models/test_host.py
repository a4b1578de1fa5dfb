"""SR, SP and KD on any generator that has what they need."""

import pytest
import torch

from zslearn.configuration import build
from zslearn.errors import ConfigError
from zslearn.models import MODELS, model_entry
from zslearn.models.base import Task
from zslearn.models.host import TermsHost
from zslearn.training.plan import Step
from zslearn.training.streams import Streams

N_SEEN, N_UNSEEN, FEATURE_DIM, SEMANTIC_DIM = 5, 3, 6, 4
HOSTS = [
    name
    for name, entry in MODELS.items()
    # In skd all three are on, and weight 0 of them is an ablation.
    if name != "skd" and entry.family == "generative" and issubclass(entry.load(), TermsHost)
]
BY_NAME = {name: model_entry(name).load() for name in HOSTS}


def make_task(*, unseen=True):
    rng = torch.Generator().manual_seed(0)
    n_classes = N_SEEN + (N_UNSEEN if unseen else 0)
    return Task(
        kind="unit",
        semantics=torch.nn.functional.normalize(torch.rand(n_classes, SEMANTIC_DIM, generator=rng), dim=1),
        seen_ids=torch.arange(N_SEEN),
        unseen_ids=torch.arange(N_SEEN, n_classes),
        seen_means=torch.rand(N_SEEN, FEATURE_DIM, generator=rng),
        seen_variances=0.1 + torch.rand(N_SEEN, FEATURE_DIM, generator=rng),
    )


def make(name, *, unseen=True, **settings):
    small = {"hidden_dim": 8, "teacher_hidden_dim": 7, "warm_up": 0.0}
    return BY_NAME[name](make_task(unseen=unseen), build(BY_NAME[name].Config, {**small, **settings}), Streams(0))


def make_step(model):
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(N_SEEN, (9,), generator=rng)
    features = torch.rand(9, FEATURE_DIM, generator=rng)
    return Step(features, model.task.semantics[labels], labels, 0.5, Streams(2))


def generative_phases(model):
    """The phases whose loss holds a term of SR, SP or KD."""
    phases = model.plan().stages[-1].phases
    return [
        phase for phase in phases if any(name[:3] in {"sr_", "sp_", "kd_"} for name in phase.loss(make_step(model)))
    ]


def moved(model, phase, term):
    """The parts of the model that the phase trains and that this term of its loss has a gradient for."""
    pairs = [
        (f"{part}.{name}", parameter)
        for part in phase.trains
        for name, parameter in model.get_submodule(part).named_parameters()
    ]
    gradients = torch.autograd.grad(
        phase.loss(make_step(model))[term].sum(), [parameter for _, parameter in pairs], allow_unused=True
    )
    return {
        name for (name, _), gradient in zip(pairs, gradients, strict=True) if gradient is not None and gradient.any()
    }


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("sr_weight", "sr_relation"),
        ("sr_weight", "sr_moment"),
        ("sp_weight", "sp_class"),
        ("sp_weight", "sp_regression"),
    ],
)
def test_regularization_and_preservation_reach_the_generator(name, weight, term):
    model = make(name, **{weight: 1.0})
    reached = set().union(*(moved(model, phase, term) for phase in generative_phases(model)))
    names = {key.split(".")[0] for key in reached}
    assert names
    assert not names & {"critic", "terms"}
    trained = {part for stage in model.plan().stages[:-1] for phase in stage.phases for part in phase.trains}
    assert ("terms.teacher" in trained) == (weight == "sp_weight")


@pytest.mark.parametrize("name", HOSTS)
def test_a_view_that_nobody_has_is_refused_before_the_training(name):
    if make(name).visual is not None:
        assert make(name, classifier_input="encoded").config.classifier_input == "encoded"
        return
    with pytest.raises(ConfigError, match="has no encoder .*expected classifier_input features; received .* encoded"):
        make(name, classifier_input="encoded")


@pytest.mark.parametrize("name", HOSTS)
def test_distillation_teaches_the_encoder_or_is_refused(name):
    plain = make(name)
    if plain.visual is None:
        with pytest.raises(ConfigError, match="has no encoder .*expected kd_weight 0; received kd_weight 1"):
            make(name, kd_weight=1.0)
        return
    model = make(name, kd_weight=1.0)
    visual = next(key for key, module in model.named_modules() if module is model.visual)
    reached = set().union(
        *(
            moved(model, phase, "kd_encoder")
            for phase in generative_phases(model)
            if "kd_encoder" in phase.loss(make_step(model))
        )
    )
    assert reached == {f"{visual}.weight", f"{visual}.bias", "terms.head.weight", "terms.head.bias"}
    step = make_step(model)
    assert model.semantic_scores(step.features, model.task.semantics).shape == (9, N_SEEN + N_UNSEEN)
    assert plain.semantic_scores(step.features, plain.task.semantics) is None


@pytest.mark.parametrize("name", [name for name in HOSTS if make(name).visual is not None])
def test_what_is_taught_on_unseen_samples_reaches_the_encoder_and_no_generator(name):
    model = make(name, kd_weight=1.0, unseen_semantics=True)
    visual = next(key for key, module in model.named_modules() if module is model.visual)
    reached = [
        moved(model, phase, "kd_unseen")
        for phase in generative_phases(model)
        if "kd_unseen" in phase.loss(make_step(model))
    ]
    assert reached
    for names in reached:
        assert names == {f"{visual}.weight", f"{visual}.bias", "terms.head.weight", "terms.head.bias"}


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("weight", ["sr_weight", "sp_weight"])
def test_terms_on_unseen_classes_need_some(name, weight):
    with pytest.raises(ConfigError, match="need unseen classes.* Set unseen_semantics to true"):
        make(name, unseen=False, **{weight: 1.0})


@pytest.mark.parametrize("name", HOSTS)
def test_weight_0_leaves_nothing_of_them(name):
    model = make(name)
    assert generative_phases(model) == []
    assert not any(key.startswith("terms") for key in model.state_dict())


@pytest.mark.parametrize("name", HOSTS)
def test_several_seeds_have_the_losses_of_each_alone(name):
    config = build(BY_NAME[name].Config, {"hidden_dim": 8, "latent_dim": 3} if name != "flow" else {"hidden_dim": 8})
    many, step = BY_NAME[name](make_task(), config, Streams([4, 9])), make_step(make(name))
    singles = [BY_NAME[name](make_task(), config, Streams(seed)) for seed in (4, 9)]
    stacked = [tensor.expand(2, *tensor.shape) for tensor in (step.features, step.semantics, step.labels)]
    for position, phase in enumerate(many.plan().stages[-1].phases):
        together = phase.loss(Step(*stacked, 0.5, Streams([4, 9])))
        for place, (seed, single) in enumerate(zip((4, 9), singles, strict=True)):
            loss = single.plan().stages[-1].phases[position].loss
            alone = loss(Step(step.features, step.semantics, step.labels, 0.5, Streams(seed)))
            assert alone.keys() == together.keys()
            for term, value in alone.items():
                torch.testing.assert_close(together[term][place], value, rtol=1e-3, atol=1e-5)
    semantics = many.task.semantics[-2:]
    together = many.sample_inputs(semantics.expand(2, -1, -1), Streams([4, 9]))
    for place, (seed, single) in enumerate(zip((4, 9), singles, strict=True)):
        torch.testing.assert_close(
            together[place], single.sample_inputs(semantics, Streams(seed)), rtol=1e-4, atol=1e-5
        )
