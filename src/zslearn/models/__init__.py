"""The zoo: every model that zslearn knows, by name; looking it up imports nothing heavy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zslearn.errors import unknown_name

if TYPE_CHECKING:
    from zslearn.models.base import TrainedModel
    from zslearn.models.closed_form import ClosedForm


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a model without importing it.

    Attributes:
        target: ``module:Class``.
        year: When it was published.
        family: Generative models synthesise unseen samples; embeddings compare samples with semantics in a space
            that is trained; closed forms are solved, not trained.
        source: Where it was published.
        line: What it is, in one line.
        one_space: Whether it needs features and semantics of one space, as image-text models make them.
    """

    target: str
    year: int
    family: Literal["generative", "embedding", "closed form"]
    source: str
    line: str
    one_space: bool = False

    def load(self) -> type[TrainedModel] | type[ClosedForm]:
        """Import the model's class; its ``Config`` is the class of its settings."""
        module, _, name = self.target.partition(":")
        model: type[TrainedModel] | type[ClosedForm] = getattr(importlib.import_module(module), name)
        return model


MODELS: dict[str, ModelEntry] = {
    "skd": ModelEntry(
        target="zslearn.models.skd:SKD",
        year=2025,
        family="generative",
        source="Bao et al., IEEE Signal Processing Letters 32",
        line="VAE(-GAN) with semantic regularization, preservation and distillation",
    ),
    "f-clswgan": ModelEntry(
        target="zslearn.models.fclswgan:FCLSWGAN",
        year=2018,
        family="generative",
        source="Xian et al., CVPR 2018",
        line="Wasserstein GAN on features with a seen-class classifier's verdict",
    ),
    "cada-vae": ModelEntry(
        target="zslearn.models.cadavae:CADAVAE",
        year=2019,
        family="generative",
        source="Schoenfeld et al., CVPR 2019",
        line="VAEs of features and of semantics with aligned latents, told apart in the latents",
    ),
    "f-vaegan": ModelEntry(
        target="zslearn.models.fvaegan:FVAEGAN",
        year=2019,
        family="generative",
        source="Xian et al., CVPR 2019",
        line="f-VAEGAN-D2, inductive: VAE and Wasserstein GAN that share decoder and generator",
    ),
    "lsrgan": ModelEntry(
        target="zslearn.models.lsrgan:LsrGAN",
        year=2020,
        family="generative",
        source="Vyas et al., ECCV 2020",
        line="Wasserstein GAN whose classes keep the relations of their semantics",
    ),
    "tf-vaegan": ModelEntry(
        target="zslearn.models.tfvaegan:TFVAEGAN",
        year=2020,
        family="generative",
        source="Narayan et al., ECCV 2020",
        line="f-VAEGAN with a semantic decoder, its feedback, and classifiers on what it sees",
    ),
    "ce-gzsl": ModelEntry(
        target="zslearn.models.cegzsl:CEGZSL",
        year=2021,
        family="generative",
        source="Han et al., CVPR 2021",
        line="Wasserstein GAN and an embedding that contrasts samples and classes",
    ),
    "free": ModelEntry(
        target="zslearn.models.free:FREE",
        year=2021,
        family="generative",
        source="Chen et al., ICCV 2021",
        line="f-VAEGAN with refined features, drawn to class centres and back to semantics",
    ),
    "re-gzsl": ModelEntry(
        target="zslearn.models.regzsl:REGZSL",
        year=2024,
        family="generative",
        source="Wu et al., TCSVT 35 (2025)",
        line="Wasserstein GAN with relations aligned, what they blur distilled, and mixed features",
    ),
    "flow": ModelEntry(
        target="zslearn.models.flow:Flow",
        year=2023,
        family="generative",
        source="Lipman et al., ICLR 2023",
        line="conditional flow matching on features; a base for SR, SP and KD",
    ),
    "gfzsl": ModelEntry(
        target="zslearn.models.gfzsl:GFZSL",
        year=2017,
        family="generative",
        source="Verma & Rai, ECML-PKDD 2017",
        line="Gaussian classes, means and variances regressed from semantics in closed form",
    ),
    "eszsl": ModelEntry(
        target="zslearn.models.eszsl:ESZSL",
        year=2015,
        family="closed form",
        source="Romera-Paredes & Torr, ICML 2015",
        line="bilinear map between features and semantics, squared error with two ridges",
    ),
    "sae": ModelEntry(
        target="zslearn.models.sae:SAE",
        year=2017,
        family="closed form",
        source="Kodirov et al., CVPR 2017",
        line="linear autoencoder whose code is the semantics, by a Sylvester equation",
    ),
    "ridge-cosine": ModelEntry(
        target="zslearn.models.ridge_cosine:RidgeCosine",
        year=1970,
        family="closed form",
        source="Hoerl & Kennard, Technometrics 1970",
        line="ridge regression from features to centred semantics, scored by cosine",
    ),
    "kernel-ridge-cosine": ModelEntry(
        target="zslearn.models.kernel_ridge:KernelRidgeCosine",
        year=1998,
        family="closed form",
        source="Saunders et al., ICML 1998",
        line="class means in whitened features regressed from semantics, scored by cosine",
    ),
    "kernel-ridge-gaussian": ModelEntry(
        target="zslearn.models.kernel_ridge:KernelRidgeGaussian",
        year=1998,
        family="closed form",
        source="Saunders et al., ICML 1998",
        line="class means in whitened features regressed from semantics, scored by distance",
    ),
    "cosine": ModelEntry(
        target="zslearn.models.cosine:Cosine",
        year=2021,
        family="closed form",
        source="Radford et al., ICML 2021",
        line="features and semantics of one image-text model, compared as they are",
        one_space=True,
    ),
    "dap": ModelEntry(
        target="zslearn.models.dap:DAP",
        year=2009,
        family="embedding",
        source="Lampert et al., CVPR 2009 and TPAMI 2014",
        line="a classifier per attribute, classes by their attributes",
    ),
    "devise": ModelEntry(
        target="zslearn.models.devise:DeViSE",
        year=2013,
        family="embedding",
        source="Frome et al., NeurIPS 2013",
        line="linear map into semantic space under a hinge loss",
    ),
    "ale": ModelEntry(
        target="zslearn.models.ale:ALE",
        year=2016,
        family="embedding",
        source="Akata et al., TPAMI 2016",
        line="bilinear map between features and semantics under a weighted ranking loss",
    ),
    "dem": ModelEntry(
        target="zslearn.models.dem:DEM",
        year=2017,
        family="embedding",
        source="Zhang et al., CVPR 2017",
        line="two layers from semantics to features, the nearest class wins",
    ),
    "teacher": ModelEntry(
        target="zslearn.models.teacher:Teacher",
        year=2025,
        family="embedding",
        source="Bao et al., IEEE Signal Processing Letters 32",
        line="the teacher of skd on its own: a projection into semantic space",
    ),
}
"""All models, by the name that the command line takes."""


def model_entry(name: str) -> ModelEntry:
    """Look a model up.

    Raises:
        UnknownNameError: If there is no such model; the message lists the nearest names.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    return MODELS[name]
