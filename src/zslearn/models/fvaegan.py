"""f-VAEGAN-D2: a VAE and a Wasserstein GAN that share decoder and generator.

Source: Y. Xian, S. Sharma, B. Schiele, Z. Akata, "f-VAEGAN-D2: A Feature Generating Framework for Any-Shot Learning",
CVPR 2019; its inductive setting, which has no unlabelled samples and therefore no second critic. The authors released
no code; weights and schedule are those that TF-VAEGAN's authors (ECCV 2020) use for the same two parts.

Differs from the source: features are scaled to [0, 1] by a high quantile of the training rows; signed features are
reconstructed by squared error; the encoder has one hidden layer, and its Adam forgets as fast as the others'; the
weight of the gradient penalty stays as it is; the final classifier is the last one, not the best of its epochs on the
test set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from zslearn.models.adversarial import VAEGAN, VAEGANConfig
from zslearn.models.base import Task
from zslearn.training.plan import Plan, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class FVAEGANConfig(VAEGANConfig):
    """Settings of f-VAEGAN-D2."""


@final
class FVAEGAN(VAEGAN):
    """A conditional VAE whose decoder a Wasserstein critic judges.

    Args:
        task: The classes and their statistics.
        config: The settings.
        streams: Draws the first weights.
    """

    Config = FVAEGANConfig
    config: FVAEGANConfig

    def __init__(self, task: Task, config: FVAEGANConfig, streams: Streams) -> None:
        super().__init__(task, config, streams)
        self.take_terms(task, config, streams)

    def plan(self) -> Plan:
        """In each step, the critic's updates and one of encoder and generator."""
        stages = self.terms.stages(self.config.batch_size)
        return Plan((*stages, self.adversarial_stage(generator_trains=("encoder", "generator"))))

    def generator_loss(self, step: Step) -> Terms:
        """Reconstruction, divergence of the latent, and the critic's verdict."""
        return self.vaegan_terms(step)[0]
