"""What every process of a training does in ``test_team.py``: train each model alone and together, and compare."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from short_trainings import trained

from toy import toy_dataset
from zslearn.models import MODELS
from zslearn.training.team import ALONE, current_team, launched_team

ARMS = {
    **{name: (name, {}) for name, entry in MODELS.items() if entry.family in ("generative", "embedding")},
    "skd with a critic": ("skd", {"adversarial_weight": 1.0, "sp_seen": True}),
    "skd compared in pairs": ("skd", {"kd_relational_weight": 1.0}),
    "f-vaegan under all terms": (
        "f-vaegan",
        {"unseen_semantics": True, **dict.fromkeys(("sr_weight", "sp_weight", "kd_weight"), 1)},
    ),
}


def threads():
    """Return how many threads this process has; None where no ``/proc`` tells."""
    tasks = Path("/proc/self/task")
    return len(os.listdir(tasks)) if tasks.is_dir() else None


before = threads()
with launched_team() as team:
    differences = {}
    for arm, (name, settings) in ARMS.items():
        alone, told_alone, moved = trained(name, settings, toy_dataset(), team=ALONE)
        together, told_together, _ = trained(name, settings, toy_dataset(), team=current_team())
        assert moved
        differences[arm] = max(
            [float((alone[key].double() - together[key].double()).abs().max()) for key in alone]
            + [abs(one - other) for one, other in zip(told_alone, told_together, strict=True)],
            default=0.0,
        )
    told = team.gathered(differences)
if team.leads:
    json.dump({"size": team.size, "told": told, "threads": [before, threads()]}, sys.stdout)
