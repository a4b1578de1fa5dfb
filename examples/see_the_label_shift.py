"""
Where unseen letters are sent
=============================

For each unseen class, what share of its pictures is answered with which class? Before the correction most of them go to
seen classes that look alike; the correction brings many back.
"""

import matplotlib.pyplot as plt
import numpy as np

import zslearn

# %%
data = zslearn.load_data("glyphs", split=0)
estimator = zslearn.GenerativeZSL("kernel-ridge-cosine", seed=0).fit_view(data.training())
test = data.test()
names = np.array(data.class_names)
order = [*data.unseen_ids, *data.seen_ids]

# %%
# One row for each unseen class, one column for each answer; the line separates unseen from seen answers.
figure, panels = plt.subplots(2, 1, figsize=(9, 6), sharex=True)
for axes, corrected in zip(panels, (False, True), strict=True):
    answers = estimator.predict(test.features, corrected=corrected)
    shares = np.array(
        [[np.mean(answers[test.labels == row] == names[column]) for column in order] for row in data.unseen_ids]
    )
    sent = shares[:, len(data.unseen_ids) :].sum(axis=1).mean()
    print(f"{'corrected' if corrected else 'plain':9} {sent:.0%} of the pictures of unseen classes go to seen classes")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.axvline(len(data.unseen_ids) - 0.5, color="tab:red")
    axes.set_yticks(range(len(data.unseen_ids)), names[data.unseen_ids])
    axes.set_title(f"{'corrected' if corrected else 'plain'}: {sent:.0%} sent to seen classes", fontsize=11)
panels[1].set_xticks(range(len(order)), names[order])
panels[1].set_xlabel("answered with")
figure.tight_layout()
plt.show()
