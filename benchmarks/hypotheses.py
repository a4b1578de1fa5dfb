"""What else SKD's settings could be: each tried alone on the development splits, beside the settings as they are.

    python benchmarks/hypotheses.py glyphs out.jsonl          # class splits 0 to 2, seed 0
    python benchmarks/hypotheses.py FOLDER out.jsonl          # any folder in the layout of Xian et al.
    python benchmarks/hypotheses.py --table out.jsonl ...

No rehearsal: T1 and AUSUC, which do not depend on the offset. Cells that are in the output file already are not run
again. The cells are in ``benchmarks/hypotheses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ablation import FREE, cell_parser, run_cells, show

from zslearn.models.skd import SKDConfig
from zslearn.shapes import Points

AS_IT_IS = "as it is"
BASES: Mapping[str, Mapping[str, Any]] = {"glyphs": FREE}
"""The settings of a data set; the defaults where none is named."""
EVERYWHERE: Mapping[str, Mapping[str, Any]] = {
    "layers half as wide": {"hidden_dim": 256},
    "layers twice as wide": {"hidden_dim": 1024},
    "a critic beside the VAE": {"adversarial_weight": 1.0},
    "latent of 16": {"latent_dim": 16},
    "latent of 256": {"latent_dim": 256},
    "last weights instead of their moving average": {"average_decay": 0.0},
    "SR without relations and moments": {"sr_relation_weight": 0.0, "sr_moment_weight": 0.0},
    "SR by LsrGAN's band instead of relations": {"sr_relation_weight": 0.0, "sr_band_weight": 0.1},
    "SP three times as heavy": {"sp_weight": 3.0},
    "SP with a margin of 0.2": {"sp_margin": 0.2},
    "SP on seen classes too": {"sp_seen": True},
    "KD of distances between samples": {"kd_relational_weight": 1.0},
    "KD without generated unseen samples": {"kd_unseen_weight": 0.0},
    "no noise on what the teacher learns from": {"teacher_noise": 0.0},
    "twice the noise": {"teacher_noise": 2.0},
    "four times as many synthetic samples": {"n_synthetic": 800},
    "SR, SP and KD on unseen samples from the start": {"warm_up": 0.0},
}
"""What is tried on every data set."""
WHITENED: Mapping[str, Mapping[str, Any]] = {
    "half as many updates": {"n_updates": 200},
    "twice as many updates": {"n_updates": 800},
    "geometry of the semantics as it is": {"semantic_power": 1.0},
    "whitening shrunk by 0.1": {"shrinkage": 0.1},
    "whitening shrunk by 0.8": {"shrinkage": 0.8},
    "features without a power": {"feature_power": 1.0},
    "rows of their own lengths": {"equal_lengths": False},
    "no anchor": {"anchor": False},
    "no anchor and no SR": {"sr_weight": 0.0},
    "linear softmax instead of Gaussians": {"classifier": "softmax"},
    "Gaussian variance 1": {"gaussian_variance": 1.0},
    "Gaussian variance 4": {"gaussian_variance": 4.0},
    "the student's verdict twice as heavy": {"kd_verdict_weight": 0.6},
    "SP by a frozen teacher, five times as heavy": {"sp_class_weight": 1.5, "sp_regression_weight": 1.5},
}
"""What is tried in the whitened space alone."""
UNIT: Mapping[str, Mapping[str, Any]] = {
    "half as many updates": {"n_updates": 400},
    "twice as many updates": {"n_updates": 1600},
    "semantics half evened out": {"semantic_power": 0.5},
    "the whitened space, anchored": {name: getattr(SKDConfig, name) for name in FREE},
    "Gaussians instead of linear softmax": {"classifier": "gaussian"},
    "squared error instead of cross-entropy": {"reconstruction": "squared"},
    "the student's verdict half as heavy": {"kd_verdict_weight": 0.5},
    "the student's verdict twice as heavy": {"kd_verdict_weight": 2.0},
    "a softmax that reads the encoder's view too": {"classifier_input": "encoded"},
}
"""What is tried in the unit space alone."""


def main() -> None:
    """Run the cells that are missing, or print the table."""
    parser = cell_parser(__doc__, splits=[0, 1, 2], seeds=[0])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        show(arguments.words, table)
        return
    data, out = arguments.words
    own = UNIT if data in BASES else WHITENED
    tried = {AS_IT_IS: {}, **EVERYWHERE, **own}
    base = BASES.get(data, {})
    arms = {name: {**base, **settings} for name, settings in tried.items()}
    run_cells(data, Path(out), arms, splits=arguments.splits, seeds=arguments.seeds)


def table(entries: list[dict[str, Any]]) -> str:
    """Lay out the settings as they are, then what each change adds: its mean, least and most over split and seed.

    Units that not every change has been tried on yet are left out.
    """
    values: dict[str, dict[tuple[int, int], Mapping[str, float]]] = {}
    for entry in entries:
        values.setdefault(entry["arm"], {})[entry["split"], entry["seed"]] = entry["metrics"]
    units = sorted(set.intersection(*map(set, values.values())))
    lines = [f"| {entries[0]['data']} ({len(units)}) | T1 (%) | AUSUC |", "| --- | --- | --- |"]
    whole = {name: np.array([values[AS_IT_IS][unit][name] for unit in units]) for name in ("t1", "ausuc")}
    lines.append(f"| {AS_IT_IS} | {100 * whole['t1'].mean():.1f} | {whole['ausuc'].mean():.3f} |")
    for arm, measured in values.items():
        if arm == AS_IT_IS:
            continue
        gains = {name: np.array([measured[unit][name] for unit in units]) - whole[name] for name in whole}
        shown = [_shown(100 * gains["t1"], 1), _shown(gains["ausuc"], 3)]
        lines.append(f"| {arm} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _shown(gains: Points, digits: int) -> str:
    spread = f" [{gains.min():+.{digits}f}, {gains.max():+.{digits}f}]" if len(gains) > 1 else ""
    return f"{gains.mean():+.{digits}f}{spread}"


if __name__ == "__main__":
    main()
