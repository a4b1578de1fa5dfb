"""What adversarial models share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses import variational, wasserstein
from zslearn.models.base import GenerativeConfig, Task
from zslearn.models.host import TermsHost
from zslearn.models.terms import TermsConfig
from zslearn.nets import Encoder, Linear, Perceptron
from zslearn.tensors import FeatureBatch, LatentBatch, PerSeed, SemanticBatch
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams

CLASSIFIER_RATE = 1e-3
"""Adam's step size for a linear classifier beside the GAN, as the sources have it."""


def critic_terms(
    critic: Callable[[Tensor, Tensor], Tensor], step: Step, fake: FeatureBatch, penalty_weight: float
) -> Terms:
    """The Wasserstein gap of a conditional critic, and its gradient penalty.

    The slope of a network with one hidden layer is written down, that of any other is differentiated twice.

    Args:
        critic: Scores samples with their condition vectors.
        step: The real batch.
        fake: A generated sample of the same class for each real one, without a graph.
        penalty_weight: Weight of the penalty.
    """
    mix = step.streams.uniform("penalty", step.labels.shape[-1], 1)
    real, semantics = step.features, step.semantics
    if isinstance(critic, Perceptron) and critic.n_hidden == 1:
        of_real, of_fake, slope = critic.between(real, fake, semantics, mix)
        penalty = wasserstein.slope_penalty(slope)
    else:
        both = critic(torch.cat([real, fake], dim=-2), torch.cat([semantics, semantics], dim=-2))
        of_real, of_fake = both.chunk(2, dim=-2)
        penalty = wasserstein.gradient_penalty(lambda features: critic(features, semantics), real, fake, mix)
    return {"gap": wasserstein.critic_gap(of_real, of_fake), "penalty": penalty_weight * penalty}


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig(GenerativeConfig, TermsConfig):
    """Settings that the zoo's adversarial models share; batches, step sizes and critic updates are most sources'."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "auto"
    """Where the generator works; the sources scale non-negative features to [0, 1]."""
    semantic_centring: bool = False
    """Whether semantics are centred and rotated; the sources take them L2-normalised as they are."""
    classifier: Literal["gaussian", "softmax"] = "softmax"
    """The final classifier; the sources train a linear softmax."""
    unseen_semantics: bool = False
    """Whether training may use the semantics of unseen classes; of itself this method has no use for them."""
    hidden_dim: Annotated[int, Range(1)] = 1024
    """Width of all networks; 4096 for generator and critic in the sources."""
    latent_dim: Annotated[int, Range(0)] = 0
    """Size of the noise; 0 takes the size of the semantics, as the sources do."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Generator updates."""
    batch_size: Annotated[int, Range(2)] = 64
    """Real samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-4
    """Adam's step size for generator and critic."""
    critic_updates: Annotated[int, Range(1)] = 5
    """Critic updates before each generator update."""
    penalty_weight: Annotated[float, Range(0)] = 10.0
    """Weight of the critic's gradient penalty."""


class FeatureGAN(TermsHost):
    """A conditional Wasserstein GAN with gradient penalty, for methods that add to it.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    config: AdversarialConfig

    def __init__(self, task: Task, config: AdversarialConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        x, a, h = task.feature_dim, task.semantic_dim, config.hidden_dim
        self.latent_dim = config.latent_dim or a
        self.generator = Perceptron((self.latent_dim + a, h, x), streams, "generator")
        self.critic = Perceptron((x + a, h, 1), streams, "critic", last_bias=False)

    def plan(self) -> Plan:
        """In each step, the critic's updates and one of the generator."""
        return Plan((*self.terms.stages(self.config.batch_size), self.adversarial_stage()))

    def adversarial_stage(
        self,
        *,
        critic_trains: tuple[str, ...] = ("critic",),
        generator_trains: tuple[str, ...] = ("generator",),
        more: tuple[Phase, ...] = (),
    ) -> Stage:
        """The critic's updates and one of the generator, in each step.

        Args:
            critic_trains: What ``critic_loss`` moves.
            generator_trains: What ``generator_loss`` moves, besides the student of the terms.
            more: Phases that follow in the same step.
        """
        config = self.config
        critic = Phase(
            name="critic",
            trains=critic_trains,
            loss=self.critic_loss,
            repeats=config.critic_updates,
            learning_rate=config.learning_rate,
        )
        generator = Phase(
            name="generator",
            trains=(*generator_trains, *self.taught_modules),
            loss=self.generator_loss,
            learning_rate=config.learning_rate,
            divisible=not self.terms.compares_rows,
        )
        return Stage(
            name="adversarial",
            phases=(critic, generator, *more),
            n_steps=config.n_updates,
            batch_size=config.batch_size,
        )

    def critic_loss(self, step: Step) -> Terms:
        """The Wasserstein gap of a critic with gradient penalty."""
        with torch.no_grad():
            fake = self.sample(step.semantics, step.streams)
        return critic_terms(self.critic, step, fake, self.config.penalty_weight)

    @abstractmethod
    def generator_loss(self, step: Step) -> Terms:
        """The critic's verdict on generated samples, and what the method adds."""

    def verdict(self, fake: FeatureBatch, semantics: SemanticBatch) -> PerSeed:
        """How real the critic finds samples, on average."""
        return self.critic(fake, semantics).sum(-1).mean(-1)

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Decode noise drawn from N(0, I)."""
        latent = streams.normal("latent", semantics.shape[-2], self.latent_dim)
        return self.finish(self.decode(latent, semantics))

    def decode(self, latent: LatentBatch, semantics: SemanticBatch) -> FeatureBatch:
        """Turn latents into samples but for what ``finish`` does."""
        return self.generator(latent, semantics)

    def finish(self, decoded: FeatureBatch) -> FeatureBatch:
        """End non-negative features in a rectifier, others linearly."""
        return functional.relu(decoded) if self.task.kind == "unit" else decoded


Decoder = Callable[[LatentBatch, SemanticBatch], FeatureBatch]
"""Turns latents and condition vectors into samples, but for what ``finish`` does."""


@dataclass(frozen=True, kw_only=True)
class VAEGANConfig(AdversarialConfig):
    """Settings that models share whose generator is also the decoder of a VAE."""

    adversarial_weight: Annotated[float, Range(0)] = 10.0
    """Weight of the critic's verdict beside the VAE; 10 in the code of TF-VAEGAN's authors for most data."""
    encoded_noise: bool = False
    """Whether the critic judges reconstructions (latents of the encoder) instead of samples from the prior."""
    kl_weight: Annotated[float, Range(0)] = 1.0
    """Weight of the latent's divergence from the standard normal."""


class VAEGAN(FeatureGAN):
    """A conditional GAN whose generator also decodes a VAE's latents, for methods that add to it.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    config: VAEGANConfig

    def __init__(self, task: Task, config: VAEGANConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.encoder = Encoder(task.feature_dim, task.semantic_dim, config.hidden_dim, self.latent_dim, streams)

    @property
    def visual(self) -> Linear:
        """The encoder's first layer on samples alone."""
        return self.encoder.visual

    def critic_loss(self, step: Step, decode: Decoder | None = None) -> Terms:
        """The Wasserstein gap between real samples and reconstructions, or samples from the prior.

        Args:
            step: The real batch.
            decode: How latents are decoded; None for the plain way.
        """
        with torch.no_grad():
            latent = self.posterior(step)[0] if self.config.encoded_noise else self._prior(step)
            fake = self.finish((decode or self.decode)(latent, step.semantics))
        return critic_terms(self.critic, step, fake, self.config.penalty_weight)

    def posterior(self, step: Step) -> tuple[LatentBatch, PerSeed]:
        """Draw each sample's latent, and say how far its distribution is from the standard normal."""
        mean, log_variance = self.encoder(step.features, step.semantics)
        noise = step.streams.normal("posterior", step.labels.shape[-1], self.latent_dim)
        divergence = variational.divergence_from_standard_normal(mean, log_variance)
        return mean + (0.5 * log_variance).exp() * noise, divergence

    def vaegan_terms(self, step: Step, decode: Decoder | None = None) -> tuple[dict[str, Tensor], FeatureBatch]:
        """The VAE's terms, the critic's verdict, and those that the weights of SR, SP and KD call for.

        Args:
            step: The real batch.
            decode: How latents are decoded; None for the plain way.

        Returns:
            The terms, and the generated samples that the critic judged.
        """
        config, decode = self.config, decode or self.decode
        latent, divergence = self.posterior(step)
        decoded = decode(latent, step.semantics)
        reconstruction = self.finish(decoded)
        fake = reconstruction if config.encoded_noise else self.finish(decode(self._prior(step), step.semantics))
        terms = {
            "reconstruction": self._reconstruction_error(decoded, step.features),
            "kl": config.kl_weight * divergence,
            "adversarial": -config.adversarial_weight * self.verdict(fake, step.semantics),
            **self.terms_loss(step, lambda: reconstruction),
        }
        return terms, fake

    def finish(self, decoded: FeatureBatch) -> FeatureBatch:
        """End non-negative features in a sigmoid, others linearly."""
        return torch.sigmoid(decoded) if self.task.kind == "unit" else decoded

    def _prior(self, step: Step) -> LatentBatch:
        return step.streams.normal("latent", step.labels.shape[-1], self.latent_dim)

    def _reconstruction_error(self, decoded: FeatureBatch, features: FeatureBatch) -> PerSeed:
        error = variational.binary_cross_entropy if self.task.kind == "unit" else variational.squared_error
        return error(decoded, features)
