"""CADA-VAE: two VAEs, of features and of semantics, whose latents are aligned; classes are told apart in the latents.

Source: E. Schoenfeld, S. Ebrahimi, S. Sinha, T. Darrell, Z. Akata, "Generalized Zero- and Few-Shot Learning via Aligned
Variational Autoencoders", CVPR 2019.

Differs from the source: a latent is ``mean + exp(log_variance / 2) * noise`` with a number of noise for each dimension,
where the released code scales one number for all of them by the variance; every real sample trains the classifier once
an epoch, not 200 per class; rectifiers are leaky; weights start as in the rest of the zoo, and Adam's step never grows
back (amsgrad) in the source. What the source sums over a batch is averaged here, which Adam does not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, final

import torch
from torch import Tensor, nn

from zslearn.configuration import Range
from zslearn.losses import variational
from zslearn.models.base import GenerativeConfig, Task
from zslearn.models.host import TermsHost
from zslearn.models.terms import TermsConfig
from zslearn.nets import Linear, Perceptron, activation
from zslearn.tensors import FeatureBatch, LatentBatch, SemanticBatch
from zslearn.training.plan import Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import Streams

Gaussian = tuple[LatentBatch, LatentBatch]
"""Mean and log-variance of a latent."""


@dataclass(frozen=True, kw_only=True)
class CADAVAEConfig(GenerativeConfig, TermsConfig):
    """Settings of CADA-VAE; defaults are the source's but for the updates and the classifier's batches (32)."""

    feature_space: Literal["whitened", "unit", "standard", "auto"] = "auto"
    """Where the generator works; the source scales non-negative features to [0, 1]."""
    semantic_centring: bool = False
    """Whether semantics are centred and rotated; the source takes them L2-normalised as they are."""
    unseen_semantics: bool = False
    """Whether training may use the semantics of unseen classes; of itself this method has no use for them."""
    classifier: Literal["gaussian", "softmax"] = "softmax"
    """The final classifier, which reads latents; the source trains a linear softmax."""
    classifier_input: Literal["features", "encoded"] = "encoded"
    """What the final classifier reads: features, or latents, as in the source."""
    n_synthetic: Annotated[int, Range(1)] = 400
    """Latents drawn for each unseen class to fit the final classifier."""
    latent_dim: Annotated[int, Range(1)] = 64
    """Size of the latent."""
    hidden_dim: Annotated[int, Range(1)] = 1560
    """Width of the encoder of features."""
    decoder_dim: Annotated[int, Range(1)] = 1660
    """Width of the decoder of features."""
    semantic_hidden_dim: Annotated[int, Range(1)] = 1450
    """Width of the encoder of semantics."""
    semantic_decoder_dim: Annotated[int, Range(1)] = 665
    """Width of the decoder of semantics."""
    n_updates: Annotated[int, Range(1)] = 2000
    """Updates of all four networks; 100 passes over the training rows in the source."""
    batch_size: Annotated[int, Range(2)] = 50
    """Real samples in an update."""
    learning_rate: Annotated[float, Range(0, low_open=True)] = 1.5e-4
    """Adam's step size."""
    kl_weight: Annotated[float, Range(0)] = 0.25
    """Weight of the latents' divergence from the standard normal, reached at 93 % of the training."""
    cross_weight: Annotated[float, Range(0)] = 2.37
    """Weight of reconstructions from the other side's latent; it grows from 21 % to 75 % of the training."""
    alignment_weight: Annotated[float, Range(0)] = 8.13
    """Weight of the distance between both sides' latents; it grows from 6 % to 22 % of the training."""


_KL_GROWS, _CROSS_GROWS, _ALIGNMENT_GROWS = (0.0, 0.93), (0.21, 0.75), (0.06, 0.22)


class _LatentEncoder(nn.Module):
    """One side's way to a Gaussian over latents."""

    def __init__(self, in_dim: int, hidden_dim: int, latent_dim: int, streams: Streams, name: str) -> None:
        super().__init__()
        self.hidden = Linear(in_dim, hidden_dim, streams, f"{name}/hidden")
        self.mean = Linear(hidden_dim, latent_dim, streams, f"{name}/mean")
        self.log_variance = Linear(hidden_dim, latent_dim, streams, f"{name}/log_variance")

    def forward(self, inputs: Tensor) -> Gaussian:
        hidden = activation(self.hidden(inputs))
        return self.mean(hidden), self.log_variance(hidden)


@final
class CADAVAE(TermsHost):
    """Two VAEs with cross-reconstruction and aligned latents.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = CADAVAEConfig
    config: CADAVAEConfig

    def __init__(self, task: Task, config: CADAVAEConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        x, a, z = task.feature_dim, task.semantic_dim, config.latent_dim
        self.encoder = _LatentEncoder(x, config.hidden_dim, z, streams, "encoder")
        self.decoder = Perceptron((z, config.decoder_dim, x), streams, "decoder")
        self.semantic_encoder = _LatentEncoder(a, config.semantic_hidden_dim, z, streams, "semantic encoder")
        self.semantic_decoder = Perceptron((z, config.semantic_decoder_dim, a), streams, "semantic decoder")
        self.take_terms(task, config, streams)

    @property
    def visual(self) -> Linear:
        """The first layer of the encoder of features."""
        return self.encoder.hidden

    def plan(self) -> Plan:
        """All four networks in one kind of update."""
        config = self.config
        phase = Phase(
            name="joint",
            trains=("encoder", "decoder", "semantic_encoder", "semantic_decoder", *self.taught_modules),
            loss=self.joint_loss,
            learning_rate=config.learning_rate,
            betas=(0.9, 0.999),
            divisible=not self.terms.compares_rows,
        )
        stage = Stage(name="aligned", phases=(phase,), n_steps=config.n_updates, batch_size=config.batch_size)
        return Plan((*self.terms.stages(config.batch_size), stage))

    def joint_loss(self, step: Step) -> Terms:
        """Both VAEs, each side's reconstruction from the other's latent, and the distance of their latents."""
        config, progress = self.config, step.progress
        visual, semantic = self.encoder(step.features), self.semantic_encoder(step.semantics)
        from_visual = _draw(visual, step.streams, "visual latent")
        from_semantic = _draw(semantic, step.streams, "semantic latent")
        reconstruction, crossed = _both(self.decoder, from_visual, from_semantic)
        semantic_reconstruction, semantic_crossed = _both(self.semantic_decoder, from_semantic, from_visual)
        own = variational.absolute_error(reconstruction, step.features) + variational.absolute_error(
            semantic_reconstruction, step.semantics
        )
        across = variational.absolute_error(crossed, step.features) + variational.absolute_error(
            semantic_crossed, step.semantics
        )
        divergence = variational.divergence_from_standard_normal(*visual) + variational.divergence_from_standard_normal(
            *semantic
        )
        return {
            "reconstruction": own,
            "kl": _grown(config.kl_weight, _KL_GROWS, progress) * divergence,
            "cross": _grown(config.cross_weight, _CROSS_GROWS, progress) * across,
            "alignment": _grown(config.alignment_weight, _ALIGNMENT_GROWS, progress)
            * variational.gaussian_distance(*visual, *semantic),
            **self.terms_loss(step, lambda: reconstruction),
        }

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Decode latents drawn for the semantics."""
        return self.decoder(self._semantic_latents(semantics, streams))

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> Tensor:
        """Return the samples' latents, drawn where there is something to draw from; the classifier reads these."""
        if self.config.classifier_input == "features":
            return features
        encoded = self.encoder(features)
        return encoded[0] if streams is None else _draw(encoded, streams, "represented")

    def sample_inputs(self, semantics: SemanticBatch, streams: Streams) -> Tensor:
        """Draw latents of the semantics: the classifier needs no decoded sample."""
        if self.config.classifier_input == "features":
            return self.sample(semantics, streams)
        return self._semantic_latents(semantics, streams)

    def _semantic_latents(self, semantics: SemanticBatch, streams: Streams) -> LatentBatch:
        return _draw(self.semantic_encoder(semantics), streams, "latent")


def _draw(gaussian: Gaussian, streams: Streams, name: str) -> LatentBatch:
    mean, log_variance = gaussian
    return mean + (0.5 * log_variance).exp() * streams.normal(name, *mean.shape[-2:])


def _both(decoder: Perceptron, first: LatentBatch, second: LatentBatch) -> tuple[Tensor, ...]:
    """Decode two batches in one pass."""
    return decoder(torch.cat([first, second], dim=-2)).chunk(2, dim=-2)


def _grown(weight: float, span: tuple[float, float], progress: float) -> float:
    """A weight that grows from 0 at the start of the span to its full size at the end."""
    start, end = span
    return weight * min(max((progress - start) / (end - start), 0.0), 1.0)
