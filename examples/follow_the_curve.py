"""
One number between seen and unseen
==================================

A model that has seen no sample of a class hesitates to answer with it. What is subtracted from the scores of all seen
classes moves answers from one side to the other, and the rehearsal finds how much without a single test row.
"""

import matplotlib.pyplot as plt
import numpy as np

import zslearn
from zslearn.evaluation.metrics import seen_unseen_curve

# %%
# Two closed forms: both are fitted and rehearsed in a second.
data = zslearn.load_data("glyphs", split=0)
test = data.test()
models = ("eszsl", "kernel-ridge-cosine")
estimators = {name: zslearn.GenerativeZSL(name, seed=0).fit_view(data.training()) for name in models}

# %%
# The curve holds seen and unseen accuracy at every offset at which any row changes sides; its area is AUSUC. Grey lines
# join points of equal H.
figure, axes = plt.subplots(figsize=(6, 5))
unseen = np.linspace(0.01, 1, 200)
for h in (0.2, 0.4, 0.6):
    seen = h * unseen / (2 * unseen - h)
    axes.plot(unseen[seen > 0], seen[seen > 0], color="0.85", zorder=0)
for color, (name, estimator) in zip(("tab:blue", "tab:orange"), estimators.items(), strict=True):
    scores = estimator.decision_scores(test.features, corrected=False)
    curve = seen_unseen_curve(scores, test.labels, seen_ids=test.seen_ids, unseen_ids=test.unseen_ids)
    axes.plot(curve.unseen, curve.seen, color=color, label=f"{name}, AUSUC {curve.area:.3f}")
    for marker, offset in (("o", 0.0), ("*", estimator.rehearsal_.offset)):
        metrics = curve.metrics_at(offset)
        axes.plot(metrics.u, metrics.s, marker, color=color, markersize=11)
        print(f"{name:20} offset {offset:6.3f}: U {metrics.u:.3f}, S {metrics.s:.3f}, H {metrics.h:.3f}")
axes.plot([], [], "o", color="0.4", label="plain")
axes.plot([], [], "*", color="0.4", label="corrected by the rehearsal")
axes.set(xlabel="accuracy on unseen classes", ylabel="accuracy on seen classes", xlim=(0, 0.8), ylim=(0, 0.8))
axes.legend()
figure.tight_layout()
plt.show()
