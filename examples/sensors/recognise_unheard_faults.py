"""
Faults that were never heard
============================

Sixteen faults of machines have recordings, four have none but a mechanic's description. A generator learns what
descriptions sound like, and names the four.
"""

import subprocess
import sys
import tempfile

import matplotlib.pyplot as plt
import numpy as np

import zslearn

# %%
# Run this in its folder: ``make_data.py`` there writes features, their labels, and a table of descriptions.
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, "make_data.py", folder], check=True)
    data = zslearn.load_data(folder)
print(len(data.seen_ids), "faults with recordings,", len(data.unseen_ids), "with a description alone")

# %%
# A short training and no rehearsal: rows of unseen faults are answered among these alone.
estimator = zslearn.GenerativeZSL(settings={"n_updates": 200}, rehearse=False, seed=0).fit_view(data.training())
test = data.test()
unheard = np.isin(test.labels, data.unseen_ids)
names = np.array(data.class_names)
answers = estimator.predict(test.features[unheard], candidates="unseen")
right = answers == names[test.labels[unheard]]
print(f"{right.mean():.0%} of {len(right)} recordings of the four are named rightly")

# %%
# Real recordings of the four, and what the model imagines of them, in the plane of their means.
unseen = names[data.unseen_ids]
imagined = estimator.synthesize(list(unseen), 60, seed=0)
real = [test.features[test.labels == i] for i in data.unseen_ids]
means = np.stack([rows.mean(axis=0) for rows in real])
centre = means.mean(axis=0)
plane = np.linalg.svd(means - centre)[2][:2].T

figure, axes = plt.subplots(figsize=(6.5, 5))
for number, name in enumerate(unseen):
    color = f"C{number}"
    axes.scatter(*((imagined[number] - centre) @ plane).T, s=12, alpha=0.4, color=color)
    axes.scatter(*((real[number] - centre) @ plane).T, s=42, marker="x", color=color, label=name)
axes.set(xticks=[], yticks=[], title="imagined (dots) and real (crosses)")
axes.legend()
figure.tight_layout()
plt.show()
