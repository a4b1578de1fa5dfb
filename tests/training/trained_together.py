"""What every process of a training does in ``test_team.py``: train each model alone and together, and compare."""

import json
import os
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from toy import toy_dataset
from zslearn.configuration import build, field_facts
from zslearn.models import MODELS, model_entry
from zslearn.recogniser import fit_recogniser
from zslearn.training.loop import Loop, Rows
from zslearn.training.streams import Streams
from zslearn.training.team import ALONE, current_team, launched_team

SHORT = {"n_updates": 20, "teacher_updates": 20, "batch_size": 32, "hidden_dim": 16, "warm_up": 0.0, "latent_dim": 4}
ARMS = {
    **{name: (name, {}) for name, entry in MODELS.items() if entry.family in ("generative", "embedding")},
    "skd with a critic": ("skd", {"adversarial_weight": 1.0, "sp_seen": True}),
    "skd compared in pairs": ("skd", {"kd_relational_weight": 1.0}),
    "f-vaegan under all terms": (
        "f-vaegan",
        {"unseen_semantics": True, **dict.fromkeys(("sr_weight", "kd_weight"), 1)},
    ),
}


def trained(name, settings, team, dataset):
    """Return the parameters and buffers after 20 steps of every stage, in float64."""
    model_class = model_entry(name).load()
    known = field_facts(model_class.Config)
    settings = {field: value for field, value in {**SHORT, **settings}.items() if field in known}
    view = dataset.training()
    shortest = dict.fromkeys(("n_updates", "teacher_updates", "classifier_epochs", "n_synthetic"), 1)
    shortest = {field: value for field, value in {**settings, **shortest}.items() if field in known}
    fitted = fit_recogniser(view, name, shortest, seed=0, device=torch.device("cpu"))
    parts = {field.name: getattr(fitted.task, field.name) for field in fields(fitted.task)}
    floats = {key: part.double() for key, part in parts.items() if torch.is_tensor(part) and part.is_floating_point()}
    task = replace(fitted.task, **floats)
    known_ids = np.arange(dataset.n_classes) if fitted.config.unseen_semantics else view.seen_ids
    rows = Rows(
        torch.tensor(fitted.feature_space.transform(view.features)).double(),
        torch.tensor(np.searchsorted(known_ids, view.labels)),
        task.semantics,
    )
    torch.set_default_dtype(torch.float64)
    model = model_class(task, build(model_class.Config, settings), Streams(3))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    reports = []
    Loop(model, model.plan(), rows, Streams(3), team=team).run(reports.append)
    torch.set_default_dtype(torch.float32)
    moved = not before or any(not torch.equal(before[key], value) for key, value in model.state_dict().items())
    return model.state_dict(), [term for report in reports for term in report.terms.values()], moved or not reports


def threads():
    """Return how many threads this process has; None where no ``/proc`` tells."""
    tasks = Path("/proc/self/task")
    return len(os.listdir(tasks)) if tasks.is_dir() else None


before = threads()
with launched_team() as team:
    differences = {}
    for arm, (name, settings) in ARMS.items():
        alone, told_alone, moved = trained(name, settings, ALONE, toy_dataset())
        together, told_together, _ = trained(name, settings, current_team(), toy_dataset())
        assert moved
        differences[arm] = max(
            [float((alone[key].double() - together[key].double()).abs().max()) for key in alone]
            + [abs(one - other) for one, other in zip(told_alone, told_together, strict=True)],
            default=0.0,
        )
    told = team.gathered(differences)
if team.leads:
    json.dump({"size": team.size, "told": told, "threads": [before, threads()]}, sys.stdout)
