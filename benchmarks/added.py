"""How good is a class that is added later, beside one that was there when the model was fitted?

    python benchmarks/added.py DATA added.json [--splits 0 1 2]

Five unseen classes are dropped from a fitted model and added again. The accuracy among unseen classes, averaged over
these five, before and after, and the seconds that one addition takes; for both final classifiers, without a rehearsal.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from zslearn import GenerativeZSL, ZSLDataset, load_data
from zslearn.evaluation.metrics import per_class_accuracy

N_ADDED = 5


def main() -> None:
    """Measure both classifiers on every split and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    figures = {}
    for classifier in ("gaussian", "softmax"):
        rounds = [added_again(load_data(arguments.data, split=split), classifier) for split in arguments.splits]
        means = {name: float(np.mean([each[name] for each in rounds])) for name in rounds[0]}
        figures[classifier] = {"splits": rounds, "mean": means}
        print(f"{classifier}: {means}")
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def added_again(dataset: ZSLDataset, classifier: str) -> dict[str, float]:
    """Fit, drop five unseen classes, add them again one by one."""
    estimator = GenerativeZSL(settings={"classifier": classifier}, rehearse=False, seed=0)
    estimator.fit_view(dataset.training())
    chosen = np.random.default_rng(int(dataset.split)).choice(dataset.unseen_ids, N_ADDED, replace=False)
    names = [dataset.class_names[class_id] for class_id in chosen]
    fitted = accuracy(estimator, dataset, names)
    estimator.drop_classes(names)
    start = time.perf_counter()
    for name, class_id in zip(names, chosen, strict=True):
        estimator.add_classes({name: dataset.semantics[class_id]})
    seconds = (time.perf_counter() - start) / N_ADDED
    return {"fitted (%)": fitted, "added (%)": accuracy(estimator, dataset, names), "seconds a class": seconds}


def accuracy(estimator: GenerativeZSL, dataset: ZSLDataset, names: list[str]) -> float:
    """Return the mean over some classes of the percentage of their rows that is recognised among unseen classes."""
    test = dataset.test()
    ids = np.array([dataset.class_names.index(name) for name in names])
    rows = np.isin(test.labels, ids)
    number = {name: class_id for class_id, name in enumerate(dataset.class_names)}
    answers = estimator.predict(test.features[rows], candidates="unseen")
    answered = np.array([number[str(name)] for name in answers])
    return 100 * float(per_class_accuracy(test.labels[rows], answered, ids).mean())


if __name__ == "__main__":
    main()
