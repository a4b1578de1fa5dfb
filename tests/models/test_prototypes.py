import torch

from small_task import make_task
from zslearn.models import prototypes
from zslearn.models.prototypes import Prototypes


def test_many_classes_are_regressed_to_the_same_means(monkeypatch):
    dual = Prototypes(make_task(), 0.3)
    monkeypatch.setattr(prototypes, "_MOST_DUAL", 1)
    primal = Prototypes(make_task(), 0.3)
    for (name, one), (_, other) in zip(dual.named_buffers(), primal.named_buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6, msg=name)
