"""Short trainings in float64, for comparisons of ways that must come to the same numbers."""

from dataclasses import fields, replace

import numpy as np
import torch

from zslearn.configuration import build, field_facts
from zslearn.models import model_entry
from zslearn.recogniser import fit_recogniser
from zslearn.training.loop import Loop, Rows
from zslearn.training.streams import Streams

SHORT = {"n_updates": 20, "teacher_updates": 20, "batch_size": 32, "hidden_dim": 16, "warm_up": 0.0, "latent_dim": 4}


def trained(name, settings, dataset, **loop_options):
    """Return parameters and buffers after 20 steps of every stage, all terms on the way, and whether anything moved."""
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
    Loop(model, model.plan(), rows, Streams(3), **loop_options).run(reports.append)
    torch.set_default_dtype(torch.float32)
    moved = not before or any(not torch.equal(before[key], value) for key, value in model.state_dict().items())
    return model.state_dict(), [term for report in reports for term in report.terms.values()], moved or not reports
