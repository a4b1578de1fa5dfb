"""
Which descriptions are alike?
=============================

Nobody can tell apart what is described alike. Before any encoder is asked, words alone show which unseen flowers will
be hard: those whose sentence shares its words with that of another.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from zslearn.data.own import class_table

# %%
# Run this in its folder. The table has a line for each flower; 20 of the 102 are unseen.
table = class_table(Path("classes.csv"))
(sentences,) = table.sentences.values()
names = np.array(table.names)
unseen = np.flatnonzero(np.array(table.split) == "unseen")
print(sentences[unseen[0]])

# %%
# Names are taken out of the sentences: they are no description. Then rare words count more than frequent ones.
texts = [text.partition(": ")[2] for text in sentences]
vectors = TfidfVectorizer(stop_words="english").fit_transform(texts)
likeness = (vectors @ vectors.T).toarray()
np.fill_diagonal(likeness, 0)
nearest = likeness[unseen].argmax(axis=1)
order = likeness[unseen].max(axis=1).argsort()

figure, axes = plt.subplots(figsize=(7, 6))
values = likeness[unseen].max(axis=1)[order]
axes.barh(range(len(unseen)), values, color="tab:green", alpha=0.7)
axes.set_yticks(range(len(unseen)), names[unseen][order])
for place, (value, other) in enumerate(zip(values, names[nearest][order], strict=True)):
    axes.text(value + 0.01, place, other, va="center", fontsize=9)
axes.set(xlabel="likeness to the description that is nearest to it", xlim=(0, values.max() + 0.3))
figure.tight_layout()
plt.show()
