"""Generative zero-shot learning: models that imagine the features of classes they never saw.

The names below are imported when they are first used: ``import zslearn`` stays fast and needs no torch.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""For type checkers, which take it for true; the module typing would be a third of the time to import this."""
__version__ = "0.1.0"

__all__ = [
    "ClassKFold",
    "GenerativeZSL",
    "SeenUnseenSplit",
    "ZSLDataset",
    "__version__",
    "ausuc_score",
    "h_score",
    "load_data",
    "s_score",
    "t1_score",
    "u_score",
]

if TYPE_CHECKING:
    from zslearn.data.catalog import load_data
    from zslearn.data.dataset import ZSLDataset
    from zslearn.estimator import GenerativeZSL
    from zslearn.model_selection import (
        ClassKFold,
        SeenUnseenSplit,
        ausuc_score,
        h_score,
        s_score,
        t1_score,
        u_score,
    )
else:
    _MODULES = {
        "GenerativeZSL": "zslearn.estimator",
        "ZSLDataset": "zslearn.data.dataset",
        "load_data": "zslearn.data.catalog",
        **dict.fromkeys(
            ("ClassKFold", "SeenUnseenSplit", "ausuc_score", "h_score", "s_score", "t1_score", "u_score"),
            "zslearn.model_selection",
        ),
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
