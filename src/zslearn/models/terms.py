"""Semantic regularization, preservation and distillation as terms that any generator can take on.

The paper (Bao et al., SPL 2025) names the three parts; the formulae are this library's own and stand in
``zslearn.losses``. Here they meet a model: which samples are judged, who judges, what stays frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zslearn.configuration import Range
from zslearn.errors import ConfigError
from zslearn.losses import distillation, preservation, regularization
from zslearn.models.base import GenerativeModel, Task
from zslearn.models.prototypes import Prototypes
from zslearn.nets import Linear, Projector
from zslearn.tensors import (
    ClassFeatures,
    ClassSemantics,
    FeatureBatch,
    HiddenBatch,
    LabelBatch,
    ScoreBatch,
    SemanticBatch,
)
from zslearn.training.plan import Phase, Stage, Step, Terms
from zslearn.training.streams import Streams


@dataclass(frozen=True, kw_only=True)
class TermsConfig:
    """Weights and forms of SR, SP and KD; a weight of 0 switches its term off, and nothing of it is computed."""

    sr_weight: Annotated[float, Range(0)] = 0.0
    """Weight of semantic regularization as a whole."""
    sr_mean_weight: Annotated[float, Range(0)] = 100.0
    """Within it, weight of the distance of generated class means from those regressed from semantics, in units of the
    regression's leave-one-class-out error; not in the unit space."""
    sr_relation_weight: Annotated[float, Range(0)] = 0.1
    """Within it, weight of the divergence between semantic and visual neighbourhoods."""
    sr_moment_weight: Annotated[float, Range(0)] = 0.1
    """Within it, weight of the gap between the spread of generated and of related seen classes."""
    sr_band_weight: Annotated[float, Range(0)] = 0.0
    """Within it, weight of the hinge outside a band around the semantic similarity (LsrGAN's idea)."""
    sr_band_width: Annotated[float, Range(0, 2)] = 0.1
    """Half the width of that band, as a cosine."""
    sr_temperature: Annotated[float, Range(0, low_open=True)] = 0.1
    """Temperature of the relations' softmax over seen classes."""
    sp_weight: Annotated[float, Range(0)] = 0.0
    """Weight of semantic preservation as a whole."""
    sp_episode_weight: Annotated[float, Range(0)] = 30.0
    """Within it, weight of episodes in which each seen class is generated as if it were unseen, and real samples must
    recognise their class among these; not in the unit space."""
    sp_episode_variance: Annotated[float, Range(0, low_open=True)] = 20.0
    """Variance per dimension of the Gaussians around the generated classes of an episode."""
    sp_class_weight: Annotated[float, Range(0)] = 0.3
    """Within it, weight of the cross-entropy over all classes in the teacher's eyes."""
    sp_regression_weight: Annotated[float, Range(0)] = 0.3
    """Within it, weight of the cosine regression to the class's semantics."""
    sp_margin: Annotated[float, Range(0, 1)] = 0.0
    """Largest margin, as a cosine, by which the right class must win; it grows with class similarity."""
    sp_temperature: Annotated[float, Range(0, low_open=True)] = 0.05
    """Temperature of the teacher's cosines."""
    sp_seen: bool = False
    """Whether semantic preservation also judges generated samples of seen classes."""
    kd_weight: Annotated[float, Range(0)] = 0.0
    """Weight of semantic-based distillation as a whole."""
    kd_encoder_weight: Annotated[float, Range(0)] = 1.0
    """Within it, weight of the class beliefs taught to the encoder's semantic head on real samples."""
    kd_relational_weight: Annotated[float, Range(0)] = 0.0
    """Within it, weight of the pairwise distances taught to the encoder's hidden view."""
    kd_decoder_weight: Annotated[float, Range(0)] = 1.0
    """Within it, weight of the teacher's beliefs of a reconstruction against those of the original."""
    kd_decoder_view_weight: Annotated[float, Range(0)] = 0.0
    """Within it, weight of the teacher's hidden view of a reconstruction against that of the original."""
    kd_unseen_weight: Annotated[float, Range(0)] = 1.0
    """Within it, weight of the class beliefs taught to the encoder on generated unseen samples."""
    kd_verdict_weight: Annotated[float, Range(0)] = 0.3
    """Weight of the student's class beliefs beside the final classifier's score; 0 leaves the student out of it."""
    kd_temperature: Annotated[float, Range(0, low_open=True)] = 2.0
    """Distillation temperature, on cosines already divided by 0.05."""
    kd_teacher: Literal["semantic", "similarity", "average", "plain"] = "semantic"
    """Who teaches: the semantic teacher network; the semantics' own similarities (no network); a moving average of the
    student; or a network that never saw semantics, compared over seen classes."""
    teacher_hidden_dim: Annotated[int, Range(1)] = 512
    """Width of the teacher's hidden layer."""
    teacher_updates: Annotated[int, Range(1)] = 1000
    """Updates of the teacher before it is frozen."""
    teacher_learning_rate: Annotated[float, Range(0, low_open=True)] = 1e-3
    """Step size of the teacher."""
    teacher_noise: Annotated[float, Range(0)] = 1.0
    """Noise on real samples that the teacher learns from and the student is taught on, in units of the deviation within
    classes; it keeps both from learning seen classes by heart."""
    teacher_decay: Annotated[float, Range(0, 1, high_open=True)] = 0.99
    """Decay of the moving-average teacher in each update that teaches the student, of which a step may hold several."""
    warm_up: Annotated[float, Range(0, 1)] = 0.25
    """Share of the training after which terms on generated unseen samples set in."""
    unseen_classes: Annotated[int, Range(1)] = 8
    """Unseen classes generated in each step for those terms, at most."""
    unseen_samples: Annotated[int, Range(2)] = 16
    """Samples generated for each of them."""


_SMALLEST_VARIANCE = 1e-6
TEACHER_TEMPERATURE = 0.05
"""Divides cosines before every softmax over classes that a teacher or its student answers with."""


class SemanticTerms(nn.Module):
    """The three parts for one task: holds the teachers and the student's semantic head.

    Args:
        task: The classes and their statistics.
        config: Weights and forms.
        view_dim: Size of the model's hidden view.
        streams: Draws the first weights.
    """

    average_started: Tensor

    def __init__(self, task: Task, config: TermsConfig, view_dim: int, streams: Streams) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self._seen_centre = task.seen_means.mean(dim=0, keepdim=True)
        # A number for every pair of classes, which many classes have too many of.
        margins = config.sp_margin > 0
        self._margins = preservation.similarity_margins(task.semantics, config.sp_margin) if margins else None
        width = config.teacher_hidden_dim
        if config.kd_teacher == "average" and self.distils and not self.has_student:
            raise ConfigError(
                "the teacher 'average' would average a student that nothing teaches",
                remedy="Raise kd_encoder_weight, or choose another kd_teacher.",
            )
        if self._judges or (self.distils and config.kd_teacher == "semantic"):
            self.teacher = Projector(task.feature_dim, width, task.semantic_dim, streams, "teacher")
        if self.has_student:
            self.head = Linear(view_dim, task.semantic_dim, streams, "head")
        if self.distils and config.kd_teacher == "plain":
            self.plain_teacher = Projector(task.feature_dim, width, task.n_seen, streams, "plain teacher")
        if self.distils and config.kd_teacher == "average":
            self.average_teacher = Projector(task.feature_dim, view_dim, task.semantic_dim, streams, "average teacher")
            self.register_buffer("average_started", torch.tensor(False, device=task.semantics.device))

    @property
    def distils(self) -> bool:
        """Whether any form of distillation is on."""
        config = self.config
        through_decoder = max(config.kd_decoder_weight, config.kd_decoder_view_weight)
        return self.has_student or (config.kd_weight > 0 and max(config.kd_relational_weight, through_decoder) > 0)

    @property
    def has_student(self) -> bool:
        """Whether there is a student: a semantic head that learns something."""
        return self.config.kd_weight * self.config.kd_encoder_weight > 0 or self._teaches_on_unseen

    @property
    def compares_rows(self) -> bool:
        """Whether a term looks at the distances between rows of a batch."""
        return self.config.kd_weight * self.config.kd_relational_weight > 0

    def verdict(self, view: HiddenBatch, semantics: ClassSemantics) -> ScoreBatch | None:
        """The student's logits of any classes, weighed for the final classifier; None without distillation."""
        weight = self.config.kd_verdict_weight
        if not self.has_student or weight == 0:
            return None
        return preservation.cosine_scores(self.head(view), semantics) * (weight / TEACHER_TEMPERATURE)

    def stages(self, batch_size: int) -> tuple[Stage, ...]:
        """The training of the teachers that the weights call for; they are frozen afterwards."""
        losses = {"teacher": self.teacher_loss, "plain_teacher": self.plain_teacher_loss}
        return tuple(
            Stage(
                name=name,
                phases=(
                    Phase(
                        name=name,
                        trains=(f"terms.{name}",),
                        loss=loss,
                        learning_rate=self.config.teacher_learning_rate,
                        betas=(0.9, 0.999),
                    ),
                ),
                n_steps=self.config.teacher_updates,
                batch_size=batch_size,
            )
            for name, loss in losses.items()
            if hasattr(self, name)
        )

    def teacher_loss(self, step: Step) -> Terms:
        """Cross-entropy of cosines over seen classes, on noisy samples."""
        return teacher_terms(self.teacher(self._noisy(step)), step, self.task)

    def plain_teacher_loss(self, step: Step) -> Terms:
        """Cross-entropy of plain logits over seen classes: a teacher without semantics."""
        logits = self.plain_teacher(self._noisy(step))
        return {"class": preservation.class_cross_entropy(logits, self.task.seen_ranks(step.labels), 1.0)}

    def on_real(
        self, step: Step, host: GenerativeModel, reconstruct: Callable[[], FeatureBatch] | None
    ) -> dict[str, Tensor]:
        """Distillation on real samples: to the encoder, and through the decoder.

        Args:
            step: The real batch.
            host: The model that is taught.
            reconstruct: Gives the decoder's reconstruction of the batch; None where the model has no decoder.
        """
        if not self.distils:
            return {}
        config, terms, network = self.config, {}, self.config.kd_teacher != "similarity"
        with torch.no_grad():
            teacher_logits = self._teacher_logits(step.features, step.labels)
        if config.kd_encoder_weight > 0:
            student = self._comparable(self._student_scores(host.view(self._noisy(step))))
            terms["kd_encoder"] = config.kd_encoder_weight * distillation.softened_divergence(
                teacher_logits, student, config.kd_temperature
            )
        if config.kd_relational_weight > 0 and network:
            gap = distillation.relational_gap(host.view(step.features), self._teacher_view(step.features))
            terms["kd_relational"] = config.kd_relational_weight * gap
        if reconstruct is not None and network:
            terms |= self._through_decoder(step.features, reconstruct, teacher_logits)
        return {name: config.kd_weight * term for name, term in terms.items()}

    def on_unseen(
        self, step: Step, host: GenerativeModel, *, generates: bool = True, teaches: bool = True
    ) -> dict[str, Tensor]:
        """All terms on freshly generated samples of unseen classes; empty before the warm-up is over.

        Args:
            step: The real batch.
            host: The model that generates and is taught.
            generates: Whether the terms that move the generator are wanted: the phase trains it.
            teaches: Whether the one that moves the encoder is wanted: the phase trains that.
        """
        config = self.config
        regularizes, judges = generates and self._regularizes, generates and self._judges
        teaches = teaches and self._teaches_on_unseen
        if not (regularizes or judges or teaches) or self.task.n_unseen == 0 or step.progress < config.warm_up:
            return {}
        n_classes, n_samples = min(config.unseen_classes, self.task.n_unseen), config.unseen_samples
        streams = step.streams.whole
        ids = self.task.unseen_ids[streams.subset("unseen classes", self.task.n_unseen, n_classes)]
        labels = ids.repeat_interleave(n_samples, dim=-1)
        samples = host.sample(self.task.semantics[labels], streams)
        terms: dict[str, Tensor] = {}
        if regularizes:
            terms |= self._regularization(samples.unflatten(-2, (n_classes, n_samples)), ids)
        if judges:
            terms |= self._preservation(samples, labels)
            if config.sp_seen:
                generated = host.sample(step.semantics, step.streams)
                seen_terms = self._preservation(generated, step.labels)
                terms |= {f"{name}_seen": term for name, term in seen_terms.items()}
        if teaches:
            # Cut off: this term moves the student's view of the samples, never the samples.
            fixed = samples.detach()
            with torch.no_grad():
                teacher_logits = self._teacher_logits(fixed, labels)
            student = self._comparable(self._student_scores(host.view(fixed)))
            weight = config.kd_weight * config.kd_unseen_weight
            terms["kd_unseen"] = weight * distillation.softened_divergence(
                teacher_logits, student, config.kd_temperature
            )
        return terms

    def on_classes(
        self, step: Step, prototypes: Prototypes, offsets: Callable[[ClassSemantics], ClassFeatures]
    ) -> dict[str, Tensor]:
        """Terms on whole classes, in a space where class means can be regressed from semantics.

        Regularization keeps generated unseen classes as close to the regressed means as these deserve. Preservation
        plays episodes: every seen class is generated as if nobody had given an example of it, from the mean that the
        other classes suggest, and real samples must recognise their class among these.

        Args:
            step: The real batch.
            prototypes: The regression.
            offsets: How far from the regressed mean the class with each condition vector is generated.
        """
        config, task, terms = self.config, self.task, {}
        # A single seen class, left out of the regression, leaves nothing that would tell how far to trust it.
        if config.sr_weight * config.sr_mean_weight > 0 and task.n_unseen > 0 and len(task.seen_ids) > 1:
            strayed = regularization.trusted_distance(offsets(task.semantics[task.unseen_ids]), prototypes.error)
            terms["sr_mean"] = config.sr_weight * config.sr_mean_weight * strayed
        if config.sp_weight * config.sp_episode_weight > 0:
            centres = prototypes.left_out + offsets(task.semantics[task.seen_ids])
            scores = preservation.gaussian_scores(step.features, centres)
            recognised = preservation.class_cross_entropy(
                scores, self.task.seen_ranks(step.labels), config.sp_episode_variance
            )
            terms["sp_episode"] = config.sp_weight * config.sp_episode_weight * recognised
        return terms

    @torch.no_grad()
    def follow(self, visual: Linear) -> None:
        """Move the moving-average teacher toward the student; nothing to do for other teachers."""
        if not hasattr(self, "average_teacher"):
            return
        # The first time it becomes the student; as a tensor, so that no host waits for a GPU to tell.
        share = torch.where(self.average_started, 1.0 - self.config.teacher_decay, 1.0)
        pairs = ((self.average_teacher.visual, visual), (self.average_teacher.head, self.head))
        for slow, fast in pairs:
            for target, source in zip(slow.parameters(), fast.parameters(), strict=True):
                target.lerp_(source, share.to(target.dtype))
        self.average_started.fill_(True)

    @property
    def _teaches_on_unseen(self) -> bool:
        return self.config.kd_weight * self.config.kd_unseen_weight > 0 and self.task.n_unseen > 0

    @property
    def _judges(self) -> bool:
        config = self.config
        weight = config.sp_weight * max(config.sp_class_weight, config.sp_regression_weight)
        return weight > 0 and self.task.n_unseen > 0

    @property
    def _regularizes(self) -> bool:
        config = self.config
        return config.sr_weight * max(config.sr_relation_weight, config.sr_band_weight, config.sr_moment_weight) > 0

    def _regularization(self, samples: Tensor, ids: Tensor) -> dict[str, Tensor]:
        config, task = self.config, self.task
        means, variances = regularization.batch_moments(samples)
        semantic = task.semantics[ids] @ task.semantics[task.seen_ids].T
        visual = regularization.visual_relations(means, task.seen_means, self._seen_centre)
        terms = {}
        if config.sr_relation_weight > 0:
            terms["sr_relation"] = config.sr_relation_weight * regularization.relation_divergence(
                semantic, visual, config.sr_temperature
            )
        if config.sr_band_weight > 0:
            terms["sr_band"] = config.sr_band_weight * regularization.relation_band(
                semantic, visual, config.sr_band_width
            )
        if config.sr_moment_weight > 0:
            expected = regularization.expected_moments(semantic, task.seen_variances, config.sr_temperature)
            terms["sr_moment"] = config.sr_moment_weight * regularization.moment_gap(
                variances.clamp_min(_SMALLEST_VARIANCE).log(), expected.clamp_min(_SMALLEST_VARIANCE).log()
            )
        return {name: config.sr_weight * term for name, term in terms.items()}

    def _preservation(self, samples: FeatureBatch, labels: LabelBatch) -> dict[str, Tensor]:
        config, terms = self.config, {}
        projected = self.teacher(samples)
        if config.sp_class_weight > 0:
            scores = preservation.cosine_scores(projected, self.task.semantics)
            terms["sp_class"] = config.sp_class_weight * preservation.class_cross_entropy(
                scores, labels, config.sp_temperature, self._margins
            )
        if config.sp_regression_weight > 0:
            terms["sp_regression"] = config.sp_regression_weight * preservation.semantic_regression(
                projected, self.task.semantics[labels]
            )
        return {name: config.sp_weight * term for name, term in terms.items()}

    def _through_decoder(
        self, features: FeatureBatch, reconstruct: Callable[[], FeatureBatch], teacher_logits: ScoreBatch
    ) -> dict[str, Tensor]:
        config, terms = self.config, {}
        if config.kd_decoder_weight > 0 or config.kd_decoder_view_weight > 0:
            reconstruction = reconstruct()
            view = self._teacher_network.view(reconstruction)
            if config.kd_decoder_weight > 0:
                scores = self._network_scores(self._teacher_network.head(view))
                terms["kd_decoder"] = config.kd_decoder_weight * distillation.softened_divergence(
                    teacher_logits, scores, config.kd_temperature
                )
            if config.kd_decoder_view_weight > 0:
                gap = distillation.feature_gap(view, self._teacher_view(features))
                terms["kd_decoder_view"] = config.kd_decoder_view_weight * gap
        return terms

    @property
    def _teacher_network(self) -> Projector:
        name = {"semantic": "teacher", "plain": "plain_teacher", "average": "average_teacher"}
        return self.get_submodule(name[self.config.kd_teacher])  # type: ignore[return-value]

    @torch.no_grad()
    def _teacher_view(self, features: FeatureBatch) -> HiddenBatch:
        return self._teacher_network.view(features)

    def _teacher_logits(self, features: FeatureBatch, labels: LabelBatch) -> ScoreBatch:
        """The teacher's logits, over all known classes; over the seen ones from a teacher without semantics."""
        if self.config.kd_teacher == "similarity":
            return self._scores(self.task.semantics[labels])
        return self._network_scores(self._teacher_network(features))

    def _network_scores(self, outputs: Tensor) -> ScoreBatch:
        return outputs if self.config.kd_teacher == "plain" else self._scores(outputs)

    def _scores(self, projected: SemanticBatch) -> ScoreBatch:
        return preservation.cosine_scores(projected, self.task.semantics) / TEACHER_TEMPERATURE

    def _student_scores(self, view: HiddenBatch) -> ScoreBatch:
        return self._scores(self.head(view))

    def _noisy(self, step: Step) -> FeatureBatch:
        return noisy(step, self.task, self.config.teacher_noise)

    def _comparable(self, student_scores: ScoreBatch) -> Float[Tensor, "*seeds batch n_compared"]:
        """The student's logits over the classes that the teacher answers for."""
        plain = self.config.kd_teacher == "plain"
        return student_scores[..., self.task.seen_ids] if plain else student_scores


def teacher_terms(projected: SemanticBatch, step: Step, task: Task) -> Terms:
    """What a teacher learns from: cross-entropy of cosines with seen classes at the teacher's temperature.

    Args:
        projected: The batch in semantic space.
        step: The batch.
        task: The classes.
    """
    scores = preservation.cosine_scores(projected, task.semantics[task.seen_ids])
    return {"class": preservation.class_cross_entropy(scores, task.seen_ranks(step.labels), TEACHER_TEMPERATURE)}


def noisy(step: Step, task: Task, level: float) -> FeatureBatch:
    """Add noise to the real samples of a step, in units of the deviation within classes."""
    drawn = step.streams.normal("teacher noise", *step.features.shape[len(step.streams.leading) :])
    return step.features + level * task.deviation * drawn
