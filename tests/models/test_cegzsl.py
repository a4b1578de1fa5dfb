import numpy as np
import pytest
import torch

from small_task import FEATURES, LABELS, RANKS, affine, leaky, log_softmax, make_step, make_task
from zslearn.models.cegzsl import CEGZSL, CEGZSLConfig, ClassScorer
from zslearn.training.streams import Streams

SMALL = {"hidden_dim": 8, "embedding_dim": 9, "projection_dim": 4, "scorer_dim": 8}


def make(**settings):
    return CEGZSL(make_task(), CEGZSLConfig(**SMALL, **settings), Streams(0))


def tiled(scorer, embedded, semantics):
    """The scores as the released code has them: every sample beside every class, through one layer."""
    n_samples, n_classes = len(embedded), len(semantics)
    pairs = torch.cat([embedded.repeat_interleave(n_classes, 0), semantics.repeat(n_samples, 1)], dim=1)
    weight = torch.cat([scorer.visual.weight, scorer.semantic.weight], dim=1)
    hidden = torch.nn.functional.leaky_relu(pairs @ weight.T + scorer.visual.bias, 0.2)
    return (hidden @ scorer.last.weight.T).reshape(n_samples, n_classes)


def test_factorised_scores_and_their_gradients_equal_the_tiled_ones():
    scorer = ClassScorer(5, 4, 6, Streams(0)).double()
    rng = torch.Generator().manual_seed(0)
    embedded = torch.randn(7, 5, dtype=torch.float64, generator=rng, requires_grad=True)
    semantics = torch.randn(3, 4, dtype=torch.float64, generator=rng)
    weights = torch.randn(7, 3, dtype=torch.float64, generator=rng)
    moved = [embedded, *scorer.parameters()]
    results = []
    for scores in (scorer(embedded, semantics), tiled(scorer, embedded, semantics)):
        results.append([scores, *torch.autograd.grad((scores.square() * weights).sum(), moved)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_several_seeds_have_the_scores_of_each_alone():
    many, embedded = ClassScorer(5, 4, 6, Streams([1, 2])), torch.randn(2, 7, 5, generator=torch.Generator())
    semantics = torch.randn(3, 4, generator=torch.Generator())
    together = many(embedded, semantics)
    for position, seed in enumerate((1, 2)):
        alone = ClassScorer(5, 4, 6, Streams(seed))(embedded[position], semantics)
        torch.testing.assert_close(together[position], alone, rtol=1e-5, atol=1e-6)


def contrasts(model, features, labels, temperature_instance, temperature_class):
    """Both contrasts in numpy, of samples with each other and with the seen classes."""
    embedded = leaky(affine(model.embedding, features))
    projected = affine(model.projection, embedded)
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    cosines = projected @ projected.T / temperature_instance
    losses = []
    for i, row in enumerate(cosines):
        others = np.delete(np.arange(len(row)), i)
        partners = others[labels[others] == labels[i]]
        losses.append(np.log(np.exp(row[others]).sum()) - row[partners].mean())
    of_pairs = np.empty((len(embedded), 3))
    for c, semantics in enumerate(model.task.semantics[model.task.seen_ids].double().numpy()):
        hidden = leaky(affine(model.scorer.visual, embedded) + affine(model.scorer.semantic, semantics[None]))
        of_pairs[:, c] = affine(model.scorer.last, hidden)[:, 0]
    return np.mean(losses), log_softmax(of_pairs / temperature_class)


def test_the_losses_equal_numpy():
    model = make(instance_weight=0.5, class_weight=0.25, instance_temperature=0.3, class_temperature=0.4)
    semantics, x = model.task.semantics[LABELS], FEATURES.double().numpy()
    real = model.critic_loss(make_step(model))
    instance, shares = contrasts(model, x, RANKS, 0.3, 0.4)
    assert real.keys() == {"gap", "penalty", "instance", "class"}
    assert real["instance"].item() == pytest.approx(instance, rel=1e-4)
    assert real["class"].item() == pytest.approx(-shares[np.arange(7), RANKS].mean(), rel=1e-4)

    found = model.generator_loss(make_step(model))
    drawn = model.sample(semantics, Streams(3)).detach()
    both = np.vstack([drawn.double().numpy(), x])
    instance, shares = contrasts(model, both, np.concatenate([RANKS, RANKS]), 0.3, 0.4)
    assert found.keys() == {"adversarial", "instance", "class"}
    assert found["adversarial"].item() == pytest.approx(-model.critic(drawn, semantics).mean().item(), rel=1e-5)
    assert found["instance"].item() == pytest.approx(0.5 * instance, rel=1e-4)
    assert found["class"].item() == pytest.approx(-0.25 * shares[np.arange(7), RANKS].mean(), rel=1e-4)


@pytest.mark.parametrize("term", ["instance", "class"])
def test_both_contrasts_reach_the_generator(term):
    model = make()
    gradients = torch.autograd.grad(model.generator_loss(make_step(model))[term], list(model.generator.parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_the_classifier_reads_the_embedding():
    model = make()
    expected = leaky(affine(model.embedding, FEATURES.double().numpy()))
    np.testing.assert_allclose(model.represent(FEATURES).detach().numpy(), expected, rtol=1e-4, atol=1e-6)
    assert make(classifier_input="features").represent(FEATURES) is FEATURES
