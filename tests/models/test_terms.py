"""Every term moves exactly the parameters that it should, and nothing is computed at weight 0."""

import dataclasses

import numpy as np
import pytest
import torch

from small_task import affine, critic_gap, leaky, verdict
from zslearn.errors import ConfigError
from zslearn.models import terms
from zslearn.models.base import Task
from zslearn.models.skd import SKD, SKDConfig
from zslearn.training.plan import Step
from zslearn.training.streams import Streams

FEATURE_DIM, SEMANTIC_DIM, N_SEEN, N_UNSEEN = 6, 5, 4, 3
OFF = {"sr_weight": 0.0, "sp_weight": 0.0, "kd_weight": 0.0}
SR = {"sr_mean_weight": 0.0, "sr_relation_weight": 0.0, "sr_moment_weight": 0.0, "sr_band_weight": 0.0}
SP = {"sp_episode_weight": 0.0, "sp_class_weight": 0.0, "sp_regression_weight": 0.0}
KD = {
    "kd_encoder_weight": 0.0,
    "kd_relational_weight": 0.0,
    "kd_decoder_weight": 0.0,
    "kd_decoder_view_weight": 0.0,
    "kd_unseen_weight": 0.0,
}


def make_task(kind="whitened", *, unseen=True):
    rng = torch.Generator().manual_seed(0)
    n_classes = N_SEEN + (N_UNSEEN if unseen else 0)
    semantics = torch.nn.functional.normalize(torch.randn(n_classes, SEMANTIC_DIM, generator=rng), dim=1)
    return Task(
        kind=kind,
        semantics=semantics,
        seen_ids=torch.arange(N_SEEN),
        unseen_ids=torch.arange(N_SEEN, n_classes),
        seen_means=torch.rand(N_SEEN, FEATURE_DIM, generator=rng),
        seen_variances=0.1 + torch.rand(N_SEEN, FEATURE_DIM, generator=rng),
    )


def make_model(kind="whitened", *, unseen=True, **settings):
    small = {"hidden_dim": 8, "latent_dim": 3, "teacher_hidden_dim": 7, "warm_up": 0.0}
    return SKD(make_task(kind, unseen=unseen), SKDConfig(**{**OFF, **small, **settings}), Streams(0))


def make_step(model, progress=0.5):
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(N_SEEN, (9,), generator=rng)
    features = torch.rand(9, FEATURE_DIM, generator=rng)
    return Step(features, model.task.semantics[labels], labels, progress, Streams(2))


def moved(model, term):
    """Names of the parameters that the joint phase trains and that this term of its loss has a gradient for."""
    value = model.joint_loss(make_step(model))[term]
    joint = next(phase for phase in model.plan().stages[-1].phases if phase.name == "joint")
    assert not any("teacher" in part for part in joint.trains)
    trained = {
        name: parameter
        for name, parameter in model.named_parameters()
        if any(name.startswith(f"{part}.") for part in joint.trains)
    }
    names, parameters = zip(*trained.items(), strict=True)
    gradients = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
    return {n for n, g in zip(names, gradients, strict=True) if g is not None and g.abs().sum() > 0}


def parts(names):
    """The parts of the model that the parameters belong to."""
    known = ("encoder.visual", "encoder.semantic", "encoder", "generator", "terms.head", "terms")
    return {next(part for part in known if name.startswith(part)) for name in names}


GENERATOR, STUDENT = {"generator"}, {"encoder.visual", "terms.head"}
AUTOENCODER = {"encoder.visual", "encoder.semantic", "encoder", "generator"}
CASES = [
    ("sr_mean", "whitened", {"sr_weight": 1.0, **SR, "sr_mean_weight": 1.0}, GENERATOR),
    ("sr_relation", "unit", {"sr_weight": 1.0, **SR, "sr_relation_weight": 1.0}, GENERATOR),
    ("sr_moment", "unit", {"sr_weight": 1.0, **SR, "sr_moment_weight": 1.0}, GENERATOR),
    ("sr_band", "unit", {"sr_weight": 1.0, **SR, "sr_band_weight": 1.0, "sr_band_width": 0.0}, GENERATOR),
    ("sp_episode", "whitened", {"sp_weight": 1.0, **SP, "sp_episode_weight": 1.0}, GENERATOR),
    ("sp_class", "unit", {"sp_weight": 1.0, **SP, "sp_class_weight": 1.0}, GENERATOR),
    ("sp_class", "whitened", {"sp_weight": 1.0, **SP, "sp_class_weight": 1.0, "sp_margin": 0.2}, GENERATOR),
    ("sp_regression", "unit", {"sp_weight": 1.0, **SP, "sp_regression_weight": 1.0}, GENERATOR),
    (
        "sp_class_seen",
        "unit",
        {"sp_weight": 1.0, **SP, "sp_class_weight": 1.0, "sp_seen": True},
        GENERATOR,
    ),
    ("kd_encoder", "unit", {"kd_weight": 1.0, **KD, "kd_encoder_weight": 1.0}, STUDENT),
    ("kd_relational", "unit", {"kd_weight": 1.0, **KD, "kd_relational_weight": 1.0}, {"encoder.visual"}),
    ("kd_decoder", "unit", {"kd_weight": 1.0, **KD, "kd_decoder_weight": 1.0}, AUTOENCODER),
    ("kd_decoder_view", "unit", {"kd_weight": 1.0, **KD, "kd_decoder_view_weight": 1.0}, AUTOENCODER),
    ("kd_unseen", "unit", {"kd_weight": 1.0, **KD, "kd_unseen_weight": 1.0}, STUDENT),
    ("reconstruction", "whitened", {}, AUTOENCODER),
    ("kl", "whitened", {}, {"encoder.visual", "encoder.semantic", "encoder"}),
]


@pytest.mark.parametrize(("term", "kind", "settings", "expected"), CASES)
def test_each_term_moves_what_it_should_and_nothing_else(term, kind, settings, expected):
    assert parts(moved(make_model(kind, **settings), term)) == expected


def test_the_critics_verdict_reaches_the_generator_alone():
    model = make_model(adversarial_weight=1.0)
    assert moved(model, "adversarial") == {name for name, _ in model.named_parameters() if name.startswith("generator")}
    critic, joint = model.plan().stages[-1].phases
    assert critic.trains == ("critic",)
    assert "critic" not in joint.trains


@pytest.mark.parametrize(("kind", "sr_weight"), [("whitened", 1.0), ("whitened", 0.0), ("unit", 1.0)])
def test_the_critic_judges_what_the_model_samples(kind, sr_weight):
    model = make_model(kind, adversarial_weight=2.0, sr_weight=sr_weight)
    step = make_step(model)
    first, last = model.generator.layers
    latent = Streams(2).normal("latent", 9, 3).double().numpy()
    fake = affine(last, leaky(affine(first, np.hstack([latent, step.semantics.double().numpy()]))))
    if kind == "unit":
        fake = 1 / (1 + np.exp(-fake))
    elif sr_weight > 0:
        fake += model.prototypes(step.semantics).double().numpy()
    gap = model.critic_loss(make_step(model))["gap"].item()
    assert gap == pytest.approx(critic_gap(model, step, fake), abs=1e-5)
    assert model.joint_loss(step)["adversarial"].item() == pytest.approx(-2.0 * verdict(model, step, fake), rel=1e-4)


@pytest.mark.parametrize("kind", ["whitened", "unit"])
def test_weight_0_computes_nothing(kind):
    model = make_model(kind)
    assert set(model.joint_loss(make_step(model))) == {"reconstruction", "kl"}
    assert not any(name.startswith("terms") for name, _ in model.named_parameters())
    assert [stage.name for stage in model.plan().stages] == ["generative"]
    assert not hasattr(model, "critic")


def test_unseen_terms_wait_for_the_warm_up():
    model = make_model("unit", sr_weight=1.0, sp_weight=1.0, kd_weight=1.0, warm_up=0.5)
    early, late = (set(model.joint_loss(make_step(model, progress))) for progress in (0.49, 0.5))
    assert late - early == {"sr_relation", "sr_moment", "sp_class", "sp_regression", "kd_unseen"}


def test_without_unseen_semantics_no_unseen_term_is_left():
    model = make_model("whitened", unseen=False, sr_weight=1.0, sp_weight=1.0, kd_weight=1.0)
    terms = set(model.joint_loss(make_step(model)))
    assert terms == {"reconstruction", "kl", "kd_encoder", "kd_decoder", "sp_episode"}


def test_the_sum_of_terms_scales_with_the_weights():
    values = []
    for weight in (1.0, 3.0):
        model = make_model("unit", sr_weight=weight, sp_weight=weight, kd_weight=weight)
        values.append(model.joint_loss(make_step(model)))
    for name in set(values[0]) - {"reconstruction", "kl"}:
        torch.testing.assert_close(values[1][name], 3 * values[0][name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("teacher", ["semantic", "similarity", "average", "plain"])
def test_every_teacher_teaches_the_student_alone(teacher):
    model = make_model("unit", kd_weight=1.0, kd_teacher=teacher, **{**KD, "kd_encoder_weight": 1.0})
    assert parts(moved(model, "kd_encoder")) == STUDENT
    trained = {name for stage in model.plan().stages[:-1] for phase in stage.phases for name in phase.trains}
    assert (
        trained
        == {
            "semantic": {"terms.teacher"},
            "similarity": set(),
            "average": set(),
            "plain": {"terms.plain_teacher"},
        }[teacher]
    )


def test_noise_is_measured_in_deviations_within_classes():
    model = make_model("unit", kd_weight=1.0)
    step = make_step(model)
    added = terms.noisy(dataclasses.replace(step, streams=Streams(3)), model.task, 2.0) - step.features
    drawn = Streams(3).normal("teacher noise", *step.features.shape)
    deviation = np.sqrt(model.task.seen_variances.numpy().mean())
    np.testing.assert_allclose(added.numpy(), 2.0 * deviation * drawn.numpy(), rtol=1e-4, atol=1e-6)


def test_the_average_teacher_starts_as_the_student_and_follows_it():
    model = make_model("unit", kd_weight=1.0, kd_teacher="average", teacher_decay=0.9)
    model.joint_loss(make_step(model))
    first = model.encoder.visual.weight.detach().numpy().copy()
    np.testing.assert_array_equal(model.terms.average_teacher.visual.weight.detach().numpy(), first)
    with torch.no_grad():
        model.encoder.visual.weight += 1.0
    model.joint_loss(make_step(model))
    found = model.terms.average_teacher.visual.weight.detach().numpy()
    np.testing.assert_allclose(found, 0.9 * first + 0.1 * (first + 1.0), rtol=1e-5)


def test_the_student_of_the_similarities_is_taught_them():
    settings = {**KD, "kd_encoder_weight": 1.0, "teacher_noise": 0.0}
    model = make_model("unit", kd_weight=1.0, kd_teacher="similarity", **settings)
    step = make_step(model)
    b = model.task.semantics.numpy().astype(float)
    taught = b[step.labels.numpy()] @ b.T / 0.05 / 2.0
    view = model.view(step.features) @ model.terms.head.weight.T + model.terms.head.bias
    r = view.detach().numpy().astype(float)
    learned = (r / np.linalg.norm(r, axis=1, keepdims=True)) @ b.T / 0.05 / 2.0

    def log_softmax(x):
        return x - x.max(axis=1, keepdims=True) - np.log(np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1))[:, None]

    p, q = log_softmax(taught), log_softmax(learned)
    expected = 4.0 * np.mean(np.sum(np.exp(p) * (p - q), axis=1))
    found = model.joint_loss(step)["kd_encoder"].item()
    assert found == pytest.approx(expected, rel=1e-4)


def test_left_out_prototypes_equal_ridge_regressions_without_the_class():
    model = make_model("whitened")
    task, ridge = model.task, model.config.anchor_ridge
    b, means = task.semantics[:N_SEEN].double().numpy(), task.seen_means.double().numpy()
    centre = means.mean(axis=0)
    for left in range(N_SEEN):
        kept = [c for c in range(N_SEEN) if c != left]
        weight = np.linalg.solve(b[kept].T @ b[kept] + ridge * np.eye(SEMANTIC_DIM), b[kept].T @ (means[kept] - centre))
        np.testing.assert_allclose(model.prototypes.left_out[left], b[left] @ weight + centre, rtol=1e-4, atol=1e-5)
    errors = ((model.prototypes.left_out.numpy() - means) ** 2).sum(axis=1)
    assert model.prototypes.error.item() == pytest.approx(errors.mean(), rel=1e-4)
    whole = np.linalg.solve(b.T @ b + ridge * np.eye(SEMANTIC_DIM), b.T @ (means - centre))
    expected = task.semantics.double().numpy() @ whole + centre
    np.testing.assert_allclose(model.prototypes(task.semantics), expected, atol=1e-5)


def test_samples_scatter_around_the_anchor():
    model = make_model("whitened", sr_weight=1.0)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.zero_()
    semantics = model.task.semantics[-1].expand(4, -1)
    torch.testing.assert_close(model.sample(semantics, Streams(0)), model.prototypes(semantics))


@pytest.mark.parametrize("sr_weight", [0.0, 1.0])
def test_offsets_are_what_opposite_latents_lie_from_the_regressed_mean(sr_weight):
    model = make_model("whitened", sr_weight=sr_weight)
    found = model.offsets(model.task.semantics, model.prototypes, Streams(5))
    latent = Streams(5).normal("centre", N_SEEN + N_UNSEEN, model.config.latent_dim)
    both = [model.generator(sign * latent, model.task.semantics) for sign in (1, -1)]
    regressed = model.prototypes(model.task.semantics) if sr_weight == 0 else 0.0
    torch.testing.assert_close(found, (both[0] + both[1]) / 2 - regressed)


def test_without_regularization_the_generator_makes_all_of_a_sample():
    model = make_model("whitened", sr_weight=0.0)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.zero_()
    drawn = model.sample(model.task.semantics[-1].expand(4, -1), Streams(0))
    torch.testing.assert_close(drawn, torch.zeros_like(drawn))


def test_several_seeds_have_the_terms_of_each_alone():
    settings = {"sr_weight": 1.0, "sp_weight": 1.0, "kd_weight": 1.0, "adversarial_weight": 0.1}
    config = SKDConfig(**settings, hidden_dim=8, latent_dim=3, teacher_hidden_dim=7, warm_up=0.0)
    task = make_task("whitened")
    single = make_step(make_model())
    many = SKD(task, config, Streams([4, 9]))
    both = [tensor.expand(2, *tensor.shape) for tensor in (single.features, single.semantics, single.labels)]
    together = many.joint_loss(Step(*both, 0.5, Streams([4, 9])))
    for position, seed in enumerate((4, 9)):
        alone = SKD(task, config, Streams(seed)).joint_loss(dataclasses.replace(single, streams=Streams(seed)))
        for name, value in alone.items():
            torch.testing.assert_close(together[name][position], value, rtol=1e-4, atol=1e-5)


KD_PARTS = ["kd_encoder", "kd_relational", "kd_decoder", "kd_decoder_view", "kd_unseen"]


@pytest.mark.parametrize("part", KD_PARTS)
def test_each_form_of_distillation_can_be_the_only_one(part):
    model = make_model("unit", kd_weight=1.0, warm_up=0.5, **{**KD, f"{part}_weight": 1.0})
    assert set(model.joint_loss(make_step(model))) == {"reconstruction", "kl", part}
    has_head = part in {"kd_encoder", "kd_unseen"}
    assert hasattr(model.terms, "head") == has_head
    assert ("terms.head" in model.plan().stages[-1].phases[-1].trains) == has_head
    scores = model.semantic_scores(make_step(model).features, model.task.semantics)
    assert (scores is not None) == has_head


def test_no_teacher_is_trained_whom_nothing_asks():
    off = {f"{part}_weight": 0.0 for part in KD_PARTS}
    for settings, unseen in [
        ({"kd_weight": 1.0, **off}, True),
        ({"sp_weight": 1.0, "sp_class_weight": 0.0, "sp_regression_weight": 0.0}, True),
        ({"sp_weight": 1.0, "sp_class_weight": 1.0}, False),
        ({"kd_weight": 1.0, **off, "kd_unseen_weight": 1.0}, False),
    ]:
        model = make_model(unseen=unseen, **settings)
        assert [stage.name for stage in model.plan().stages] == ["generative"]
        assert not any(name.startswith("terms") for name, _ in model.named_parameters())


def test_an_average_of_a_student_that_nobody_teaches_is_refused():
    with pytest.raises(ConfigError, match="student that nothing teaches"):
        make_model("unit", kd_weight=1.0, kd_teacher="average", **{**KD, "kd_decoder_weight": 1.0})


def test_the_plain_teacher_is_compared_over_seen_classes():
    model = make_model("unit", kd_weight=1.0, kd_teacher="plain", **{**KD, "kd_encoder_weight": 1.0})
    step, before = make_step(model), None
    with torch.no_grad():
        for shift in (0.0, 1.0):
            model.task.semantics[N_SEEN:] += shift
            value = model.joint_loss(dataclasses.replace(step, streams=Streams(2)))["kd_encoder"]
            assert before is None or torch.equal(value, before)
            before = value


def test_a_margin_makes_preservation_stricter():
    values = []
    for margin in (0.0, 0.2):
        model = make_model("unit", sp_weight=1.0, sp_margin=margin, **{**SP, "sp_class_weight": 1.0})
        values.append(model.joint_loss(make_step(model))["sp_class"])
    assert values[1] > values[0]
