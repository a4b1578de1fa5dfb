"""Small encoders with random weights, saved as transformers saves any, so that tests need no network."""

from __future__ import annotations

import json
from pathlib import Path

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "an",
    "red",
    "blue",
    "yellow",
    "flower",
    "animal",
    "with",
    "stripes",
    "fins",
    "wings",
    "petals",
    "leaves",
)


def tiny_backbone(folder, kind):
    """A small backbone with random weights, saved as transformers saves any."""
    import torch
    import transformers as tf

    torch.manual_seed(0)
    size = {"image_size": 32, "patch_size": 8, "hidden_size": 16, "intermediate_size": 32}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    if kind == "clip":
        text = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, **layers}
        config = tf.CLIPConfig(text_config=text, vision_config={**size, **layers}, projection_dim=12)
        model = tf.CLIPModel(config)
    else:
        model = {
            "vit": lambda: tf.ViTModel(tf.ViTConfig(**size, **layers), add_pooling_layer=False),
            "dinov2": lambda: tf.Dinov2Model(tf.Dinov2Config(**size, **layers)),
            "swin": lambda: tf.SwinModel(
                tf.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=2)
            ),
            "resnet": lambda: tf.ResNetModel(
                tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
            ),
        }[kind]()
    model.eval().save_pretrained(folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor" if kind == "clip" else "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    if kind == "clip":
        processor |= {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def tiny_text_encoder(folder: Path) -> Path:
    """A small BERT with a vocabulary of a few words."""
    import torch
    import transformers as tf

    torch.manual_seed(0)
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    config = tf.BertConfig(vocab_size=len(VOCABULARY), hidden_size=8, intermediate_size=16, **layers)
    tf.BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder
