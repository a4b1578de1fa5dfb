"""Words to semantics: class names or sentences to one vector per class, with a pretrained text encoder."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zslearn.data.checks import check_semantics, row_chunks
from zslearn.data.own import ClassTable, NamedSemantics
from zslearn.data.pretrained import EXTRA, Pretrained, find_pretrained, load_weights
from zslearn.errors import ConfigError, DataError, ZslearnError, first_line, listed, require_extra
from zslearn.files import write_atomic
from zslearn.limits import read_json
from zslearn.shapes import Semantics

TextPooling = Literal["auto", "mean", "class"]
_POOLING_FILE = "1_Pooling/config.json"
_BATCH = 64
_MAX_TOKENS = 512

Vectors = Float[np.ndarray, "n_texts semantic_dim"]


class TextEncoder:
    """A pretrained text encoder of transformers that turns sentences into unit vectors.

    Image-text models (CLIP) give their text embedding. Other models give the mean over the tokens' vectors, or the
    first token's where a sentence encoder says so itself. Longer texts than the encoder takes are cut.

    Args:
        encoder: A folder with ``config.json`` and safetensors (looked for first), or a name on the hub.
        pooling: ``auto`` as described above, ``mean`` or ``class`` (the first token).
        device: ``auto``, ``cpu`` or ``cuda``.
        download: Whether the hub may be asked for what is not on this machine.

    Attributes:
        semantic_dim: The size of a vector.

    Raises:
        DataError: If there is no encoder of that name, it is not a text model, or it lacks weights.
        UnknownNameError: If it can only be meant as a path and there is no such folder.
        MissingExtraError: If transformers is not installed.
    """

    def __init__(
        self, encoder: str | Path, *, pooling: TextPooling = "auto", device: str = "auto", download: bool = True
    ) -> None:
        # A wrong path is told before the imports, which take seconds.
        self._pretrained = find_pretrained(encoder, download=download)
        require_extra("transformers", EXTRA)
        from zslearn.devices import resolve_device

        self._pooling = _own_pooling(self._pretrained) if pooling == "auto" else pooling
        self._device = resolve_device(device)
        self._tokenizer = _load_tokenizer(self._pretrained)
        self._model = load_weights(self._pretrained).to(self._device)
        try:
            self.semantic_dim = self.encode(["a word"]).shape[1]
        except ZslearnError:
            raise
        # A model of another kind fails wherever its code happens to miss something.
        except Exception as error:
            raise _no_text_model(self._pretrained, first_line(error)) from error

    @classmethod
    def restore(
        cls, facts: Mapping[str, Any], *, encoder: str | Path | None = None, device: str = "auto"
    ) -> TextEncoder:
        """Load the encoder that ``facts`` describe, as a data set, a record and a saved model hold them.

        Args:
            facts: What `facts` of the original encoder returned.
            encoder: Where the encoder is now, if it has moved, or its name on the hub, which is not asked otherwise.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            DataError: If the encoder found has other weights or settings than the original; also as the class.
        """
        try:
            restored = cls(encoder or facts["name"], pooling=facts["pooling"], device=device, download=bool(encoder))
            expected = facts["sha256"]
        except KeyError as error:
            raise DataError(
                "the text encoder's description is incomplete",
                received=f"no {error}",
                remedy="Describe the classes again.",
            ) from error
        if restored._pretrained.sha256 != expected:
            raise DataError(
                f"the text encoder {restored._pretrained.name} is not the one that made the semantics",
                expected=f"SHA-256 {expected[:12]}... over its files",
                received=f"{restored._pretrained.sha256[:12]}...",
                remedy="Give the folder of the original encoder, or describe the classes again with this one.",
            )
        return restored

    def facts(self) -> dict[str, Any]:
        """Return what is needed to make the same vectors of other sentences, ready for JSON."""
        return {
            "name": self._pretrained.name,
            "sha256": self._pretrained.sha256,
            "model_type": self._pretrained.config.get("model_type"),
            "pooling": self._pooling,
            "semantic_dim": self.semantic_dim,
        }

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector per text, ``[n_texts, semantic_dim]`` float64; the batch makes no difference.

        Raises:
            DataError: If the encoder's vocabulary does not belong to its weights.
        """
        import torch

        blocks = []
        try:
            for start in range(0, len(texts), _BATCH):
                with torch.inference_mode():
                    blocks.append(self._pooled(list(texts[start : start + _BATCH])).double().cpu().numpy())
        except IndexError as error:
            raise DataError(
                f"vocabulary and weights of the text encoder {self._pretrained.name} do not belong together",
                expected="a vector for every word",
                received=first_line(error),
                remedy="Download the encoder again.",
            ) from error
        vectors = np.concatenate(blocks) if blocks else np.empty((0, self.semantic_dim))
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)

    def _pooled(self, texts: list[str]) -> Any:
        limit = min(self._tokenizer.model_max_length, _MAX_TOKENS)
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        tokens = tokens.to(self._device)
        if hasattr(self._model, "get_text_features"):
            output = self._model.get_text_features(**tokens)
            return getattr(output, "pooler_output", output)
        states = self._model(**tokens).last_hidden_state
        if self._pooling == "class":
            return states[:, 0]
        mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(dim=1) / mask.sum(dim=1)


def describe_classes(
    encoder: TextEncoder,
    table: ClassTable,
    *,
    template: str = "{}",
    text_weight: float = 1.0,
    attribute_weight: float = 0.0,
) -> NamedSemantics:
    """Make a semantic vector for each class of a table.

    A class's sentences (one per text column; its name where there is no text column) become unit vectors, which are
    averaged and brought to unit length. With a weight for attributes, these are standardised over the classes and
    stand beside the centred text vectors, both brought to a mean square length of 1 and then weighed.

    Args:
        encoder: What turns sentences into vectors.
        table: The classes.
        template: What stands around each text, such as ``a photo of a {}``; must hold ``{}`` once.
        text_weight: The weight of the texts, at least 0.
        attribute_weight: The weight of the attributes, at least 0; 0 leaves them out.

    Returns:
        The semantics by name; `encoder` in it holds all that `describe_like` needs for further classes.

    Raises:
        DataError: If classes have no sentence, or attributes are asked for and the table has none.
        ConfigError: If a weight is negative, both are 0, or the template does not hold ``{}`` once.
    """
    _check_settings(template, text_weight, attribute_weight)
    sentences = _sentences(table)
    vectors = _class_vectors(encoder, sentences, template)
    facts: dict[str, Any] = {**encoder.facts(), "template": template, "columns": list(table.sentences)}
    if attribute_weight:
        if table.attributes is None:
            raise DataError(
                f"{table.path.name} has no attributes to mix with",
                expected="columns of numbers",
                remedy="Add them, or leave out the weight of attributes.",
            )
        facts["mix"] = _mix(vectors, table, text_weight, attribute_weight)
        vectors = _mixed(facts["mix"], vectors, table.attributes)
    return NamedSemantics(table.path.name, table.names, check_semantics(vectors, class_names=table.names), facts)


def describe_like(
    facts: Mapping[str, Any],
    sentences: Sequence[str],
    *,
    attributes: Mapping[str, float] | None = None,
    encoder: TextEncoder | None = None,
) -> Float[np.ndarray, " semantic_dim"]:
    """Make the vector of a further class exactly as the classes of a data set got theirs.

    Args:
        facts: The data set's or the model's ``text_encoder``.
        sentences: What is said about the class; at least one.
        attributes: Its attributes by name, where the data set mixes them in.
        encoder: The encoder, if it is loaded already.

    Raises:
        DataError: If there is no sentence, an attribute is missing, or the encoder is not the original one.
    """
    if not any(sentence.strip() for sentence in sentences):
        raise DataError("the class has no description", expected="at least one sentence", remedy="Describe it.")
    encoder = TextEncoder.restore(facts) if encoder is None else encoder
    vector = _class_vectors(encoder, [[text for text in sentences if text.strip()]], facts.get("template", "{}"))
    mix = facts.get("mix")
    if mix is None:
        return vector[0]
    given = attributes or {}
    missing = [name for name in mix["attribute_names"] if name not in given]
    if missing:
        raise DataError(
            "attributes of the class are missing",
            expected=f"a number for each of {listed(mix['attribute_names'])}",
            received=f"none for {listed(missing)}",
            remedy="The semantics of this model mix text and attributes: give both.",
        )
    numbers = np.array([[float(given[name]) for name in mix["attribute_names"]]])
    return _mixed(mix, vector, numbers)[0]


def write_semantics(path: Path, semantics: NamedSemantics) -> None:
    """Write semantics by class name as ``semantics.npz``, atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(
                file,
                names=np.array(semantics.names),
                semantics=semantics.vectors,
                encoder=np.array(json.dumps(semantics.encoder)),
            )

    write_atomic(path, write)


def most_alike(semantics: NamedSemantics, n_pairs: int = 3) -> list[tuple[str, str, float]]:
    """Return the pairs of classes whose vectors have the largest cosines, with these."""
    units = semantics.vectors / np.linalg.norm(semantics.vectors, axis=1, keepdims=True)
    ids, best = np.arange(len(units)), list[tuple[int, int, float]]()
    for rows in row_chunks(len(units), len(units) * units.itemsize):
        cosines = units[rows] @ units.T
        cosines[ids[rows, None] >= ids] = -np.inf
        n_kept = min(n_pairs, cosines.size)
        least = np.partition(cosines, -n_kept, axis=None)[-n_kept]
        first, second = np.nonzero((cosines >= least) & np.isfinite(cosines))
        found = zip(ids[rows][first].tolist(), second.tolist(), cosines[first, second].tolist(), strict=True)
        best = heapq.nlargest(n_pairs, itertools.chain(best, found), key=itemgetter(2))
    return [(semantics.names[i], semantics.names[j], cosine) for i, j, cosine in best]


def _check_settings(template: str, text_weight: float, attribute_weight: float) -> None:
    if template.count("{}") != 1:
        raise ConfigError(
            "the template is not usable",
            expected="{} in it once, for the text",
            received=repr(template),
            remedy="Write --template 'a photo of a {}', for example.",
        )
    if min(text_weight, attribute_weight) < 0 or not text_weight + attribute_weight > 0:
        raise ConfigError(
            "the weights of text and attributes are not usable",
            expected="numbers of at least 0, not both 0",
            received=f"{text_weight} and {attribute_weight}",
            remedy="Give one of them, or leave both out.",
        )


def _sentences(table: ClassTable) -> list[list[str]]:
    """Return what is said about each class: its texts, or its name where the table has no texts."""
    if not table.sentences:
        return [[name] for name in table.names]
    told = [[text for text in texts if text] for texts in zip(*table.sentences.values(), strict=True)]
    mute = [name for name, texts in zip(table.names, told, strict=True) if not texts]
    if mute:
        raise DataError(
            f"classes of {table.path.name} have no description",
            expected=f"a sentence in {listed(list(table.sentences))} for every class",
            received=f"none for {listed(mute)}",
            remedy="Say in a sentence what is visible of each of them.",
        )
    return told


def _class_vectors(encoder: TextEncoder, sentences: Sequence[Sequence[str]], template: str) -> Semantics:
    texts = [template.replace("{}", text) for told in sentences for text in told]
    vectors = encoder.encode(texts)
    ends = np.cumsum([len(told) for told in sentences])
    means = np.stack([block.mean(axis=0) for block in np.split(vectors, ends[:-1])])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _mix(vectors: Semantics, table: ClassTable, text_weight: float, attribute_weight: float) -> dict[str, Any]:
    """Return what turns a text vector and attributes into a mixed vector, ready for JSON."""
    assert table.attributes is not None
    text_mean = vectors.mean(axis=0)
    text_length = float(np.sqrt(np.square(vectors - text_mean).sum(axis=1).mean()))
    spread = table.attributes.std(axis=0)
    varies = spread > 0
    return {
        "text_weight": text_weight,
        "attribute_weight": attribute_weight,
        "attribute_names": list(table.attribute_names),
        "attribute_mean": table.attributes.mean(axis=0).tolist(),
        # A constant attribute tells nothing; it becomes 0 in every class.
        "attribute_scale": (varies / np.where(varies, spread * np.sqrt(max(1, varies.sum())), 1.0)).tolist(),
        "text_mean": text_mean.tolist(),
        "text_length": text_length or 1.0,
    }


def _mixed(mix: Mapping[str, Any], vectors: Semantics, attributes: Semantics) -> Semantics:
    texts = (vectors - np.array(mix["text_mean"])) / mix["text_length"]
    numbers = (attributes - np.array(mix["attribute_mean"])) * np.array(mix["attribute_scale"])
    return np.concatenate([mix["text_weight"] * texts, mix["attribute_weight"] * numbers], axis=1)


def _own_pooling(pretrained: Pretrained) -> TextPooling:
    """Return how the encoder itself says that its tokens are pooled."""
    path = pretrained.folder / _POOLING_FILE
    if not path.is_file():
        return "mean"
    try:
        return "class" if read_json(path).get("pooling_mode_cls_token") else "mean"
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} cannot be read", received=str(error), remedy="Download the encoder again.") from error


def _load_tokenizer(pretrained: Pretrained) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(pretrained.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise _no_text_model(pretrained, "no tokenizer") from error


def _no_text_model(pretrained: Pretrained, cause: str) -> DataError:
    return DataError(
        f"{pretrained.name} is not a text encoder",
        expected="a sentence encoder or an image-text model, with its tokenizer",
        received=f"{pretrained.config.get('model_type', 'a model')}: {cause}",
        remedy="Give the folder or the hub name of a text encoder.",
    )
