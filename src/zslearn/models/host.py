"""What a generative model needs to take on semantic regularization, preservation and distillation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from zslearn.errors import ConfigError
from zslearn.models.base import GenerativeModel, Task
from zslearn.models.terms import SemanticTerms, TermsConfig
from zslearn.nets import Linear, activation
from zslearn.tensors import ClassSemantics, FeatureBatch, HiddenBatch, ScoreBatch
from zslearn.training.plan import Step
from zslearn.training.streams import Streams


class TermsHost(GenerativeModel):
    """A generative model on which SR, SP and KD can be put; with weights of 0 nothing of them is there.

    A subclass calls ``take_terms`` (or makes ``self.terms``) at the end of its ``__init__``, puts the stages of
    ``self.terms`` before its own, adds ``taught_modules`` to what the phase of its generator trains, and ``terms_loss``
    to that phase's loss.
    """

    terms: SemanticTerms

    @property
    def visual(self) -> Linear | None:
        """The encoder's first layer on samples alone, which distillation teaches; None without such a layer."""
        return None

    @property
    def taught_modules(self) -> tuple[str, ...]:
        """The student's semantic head, where there is one."""
        return ("terms.head",) if self.terms.has_student else ()

    def take_terms(self, task: Task, config: TermsConfig, streams: Streams) -> None:
        """Make the terms that the weights call for.

        Raises:
            ConfigError: If the final classifier or a term lacks what it needs: an encoder, or unseen classes to
                generate.
        """
        visual = self.visual
        if self.config.classifier_input == "encoded" and visual is None:
            raise ConfigError(
                f"{type(self).__name__} has no encoder of samples that the final classifier could read",
                expected="classifier_input features",
                received="classifier_input encoded",
                remedy="Leave it out, or take a model with an encoder, such as f-vaegan.",
            )
        if config.kd_weight > 0 and visual is None:
            raise ConfigError(
                f"{type(self).__name__} has no encoder of samples that distillation could teach",
                expected="kd_weight 0",
                received=f"kd_weight {config.kd_weight:g}",
                remedy="Leave it out, or take a model with an encoder, such as f-vaegan.",
            )
        if max(config.sr_weight, config.sp_weight) > 0 and task.n_unseen == 0:
            raise ConfigError(
                "semantic regularization and preservation need unseen classes, and training knows of none",
                remedy="Set unseen_semantics to true.",
            )
        view_dim = 0 if visual is None else visual.weight.shape[-2]
        self.terms = SemanticTerms(task, config, view_dim, streams)

    def terms_loss(self, step: Step, reconstruct: Callable[[], FeatureBatch] | None = None) -> dict[str, Tensor]:
        """All terms of one step.

        Args:
            step: The real batch.
            reconstruct: Gives the decoder's reconstruction of the batch; None where the model has no decoder.
        """
        if self.visual is not None:
            self.terms.follow(self.visual)
        return {**self.terms.on_real(step, self, reconstruct), **self.terms.on_unseen(step, self)}

    def view(self, features: FeatureBatch) -> HiddenBatch:
        """Return ``h(x)``, the encoder's hidden layer on the sample alone.

        Raises:
            ConfigError: If the model has no such encoder.
        """
        return super().view(features) if self.visual is None else activation(self.visual(features))

    def semantic_scores(self, features: FeatureBatch, semantics: ClassSemantics) -> ScoreBatch | None:
        """Score by the student's projection, where distillation has taught one."""
        return self.terms.verdict(self.view(features), semantics) if self.terms.has_student else None
