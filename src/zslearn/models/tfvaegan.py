"""TF-VAEGAN: an f-VAEGAN with a semantic decoder that feeds back to the generator and enriches the classifier's input.

Source: S. Narayan, A. Gupta, F. S. Khan, C. G. M. Snoek, L. Shao, "Latent Embedding Feedback and Discriminative
Features for Zero-Shot Classification", ECCV 2020; its inductive setting.

Differs from the source: updates without and with feedback take turns, not whole epochs of them; generated samples feed
back what the decoder sees in themselves, where the released code takes the reconstruction's; the encoder's Adam forgets
as fast as the others'; the encoder has one hidden layer; the weight of the gradient penalty stays as it is; the final
classifier is the last one, not the best of its epochs on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal, final

import torch
from torch import Tensor
from torch.nn import functional

from zslearn.configuration import Range
from zslearn.losses.semantic_decoding import weighted_absolute_error
from zslearn.models.adversarial import VAEGAN, Decoder, VAEGANConfig
from zslearn.models.base import Task
from zslearn.nets import Perceptron, Projector, activation
from zslearn.tensors import FeatureBatch, LatentBatch, PerSeed, SemanticBatch
from zslearn.training.plan import Phase, Plan, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class TFVAEGANConfig(VAEGANConfig):
    """Settings of TF-VAEGAN; weights and step sizes are the source's for FLO, sizes and lengths suit small data."""

    classifier_input: Literal["features", "encoded"] = "encoded"
    """What the final classifier reads: features, or features beside the semantic decoder's hidden layer and the
    semantics that it decodes, as in the source."""
    n_updates: Annotated[int, Range(1)] = 1000
    """Generator updates, half of them with feedback."""
    decoder_weight: Annotated[float, Range(0)] = 0.01
    """Weight of the error of decoded semantics."""
    decoder_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-4
    """Adam's step size for the semantic decoder."""
    decoder_sees_fakes: bool = True
    """Whether the semantic decoder also learns from generated samples; off for AWA2 in the source."""
    feedback_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-5
    """Adam's step size for the feedback."""
    feedback_weight: Annotated[float, Range(0)] = 0.5
    """Weight of the feedback on the generator's hidden layer in training."""
    synthesis_feedback_weight: Annotated[float, Range(0)] = 0.5
    """The same at synthesis."""


@final
class TFVAEGAN(VAEGAN):
    """A VAE-GAN with a semantic decoder and its feedback.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = TFVAEGANConfig
    config: TFVAEGANConfig

    def __init__(self, task: Task, config: TFVAEGANConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        h = config.hidden_dim
        self.semantic_decoder = Projector(task.feature_dim, h, task.semantic_dim, streams, "semantic decoder")
        self.feedback = Perceptron((h, h, h), streams, "feedback")
        self.take_terms(task, config, streams)

    def plan(self) -> Plan:
        """In each step the same twice, without feedback and with it: critic, semantic decoder, generator."""
        config = self.config
        fed = partial(self._decode_fed, weight=config.feedback_weight)
        plain_generator = ("encoder", "generator", *(("semantic_decoder",) if config.decoder_sees_fakes else ()))
        decoder = Phase(
            name="decoder",
            trains=("semantic_decoder",),
            loss=self.decoder_loss,
            repeats=config.critic_updates,
            learning_rate=config.decoder_learning_rate,
        )
        phases: list[Phase] = []
        for suffix, decode, more in (("", self.decode, ()), ("_fed", fed, ("feedback",))):
            stage = self.adversarial_stage(generator_trains=(*plain_generator, *more))
            critic, generator = stage.phases
            phases += [
                replace(critic, name=f"critic{suffix}", loss=partial(self.critic_loss, decode=decode)),
                replace(decoder, name=f"decoder{suffix}"),
                replace(
                    generator,
                    name=f"generator{suffix}",
                    loss=partial(self.generator_loss, decode=decode),
                    own_rates={
                        "semantic_decoder": config.decoder_learning_rate,
                        "feedback": config.feedback_learning_rate,
                    },
                ),
            ]
        both = replace(stage, phases=tuple(phases), n_steps=max(1, config.n_updates // 2))
        return Plan((*self.terms.stages(config.batch_size), both))

    def decoder_loss(self, step: Step) -> Terms:
        """Error of the semantics decoded from real samples."""
        return {"decoder": self._decoding_error(step.features, step.semantics)}

    def generator_loss(self, step: Step, decode: Decoder | None = None) -> Terms:
        """Reconstruction, divergence, verdict of the critic, and error of the semantics decoded from the samples.

        Args:
            step: The real batch.
            decode: How latents are decoded: plainly (None) or with feedback.
        """
        terms, fake = self.vaegan_terms(step, decode)
        return {**terms, "decoder": self._decoding_error(fake, step.semantics)}

    def sample(self, semantics: SemanticBatch, streams: Streams) -> FeatureBatch:
        """Decode noise drawn from N(0, I) with feedback."""
        latent = streams.normal("latent", semantics.shape[-2], self.latent_dim)
        return self.finish(self._decode_fed(latent, semantics, self.config.synthesis_feedback_weight))

    def represent(self, features: FeatureBatch, streams: Streams | None = None) -> Tensor:
        """Return the samples beside the decoder's hidden layer and the decoded semantics."""
        if self.config.classifier_input == "features":
            return features
        hidden = self.semantic_decoder.view(features)
        decoded = functional.normalize(self.semantic_decoder.head(hidden), dim=-1)
        return torch.cat([features, hidden, decoded], dim=-1)

    def _decode_fed(self, latent: LatentBatch, semantics: SemanticBatch, weight: float) -> FeatureBatch:
        """Decode twice: the second time with what the semantic decoder saw in the first result."""
        first, last = self.generator.layers
        hidden = activation(first(latent, semantics))
        with torch.no_grad():
            seen = self.semantic_decoder.view(self.finish(last(hidden)))
        return last(hidden + weight * activation(self.feedback(seen)))

    def _decoding_error(self, features: FeatureBatch, semantics: SemanticBatch) -> PerSeed:
        decoded = functional.normalize(self.semantic_decoder(features), dim=-1)
        return self.config.decoder_weight * weighted_absolute_error(decoded, semantics)
