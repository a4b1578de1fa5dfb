"""
Letters that were never seen
============================

A generator learns 28 letters and digits, each with 34 numbers that describe its strokes, and then draws the other eight
from their numbers alone. A short training, so the strokes are rough.
"""

import matplotlib.pyplot as plt
import numpy as np

import zslearn

# %%
# The training view holds the pictures of seen classes, and the semantics of all classes.
data = zslearn.load_data("glyphs", split=0)
view = data.training()
print(len(view.features), "pictures of", len(view.seen_ids), "classes;", len(view.unseen_ids), "classes without any")

# %%
# In the unit space the generator draws pixels. Without a rehearsal there is one training, and no correction.
settings = {"feature_space": "unit", "classifier": "softmax", "semantic_power": 1.0, "n_updates": 300}
estimator = zslearn.GenerativeZSL(settings=settings, rehearse=False, seed=0).fit_view(view)

# %%
# Draw each unseen class eight times, and put a real picture beside them. Real ones are on the test side: they are only
# looked at here.
unseen = [view.class_names[i] for i in view.unseen_ids]
drawn = estimator.synthesize(unseen, 8, seed=0)
test = data.test()
real = np.stack([test.features[test.labels == i][0] for i in view.unseen_ids])

figure, axes = plt.subplots(figsize=(6, 5.4))
rows = np.concatenate([drawn, np.zeros_like(drawn[:, :1]), real[:, None]], axis=1).reshape(len(unseen), 10, 16, 16)
axes.imshow(np.vstack([np.hstack(list(row)) for row in rows]), cmap="gray_r")
axes.set_yticks(16 * np.arange(len(unseen)) + 7.5, unseen)
axes.set_xticks([63.5, 151.5], ["drawn, never seen", "real"])
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
figure.tight_layout()
plt.show()
