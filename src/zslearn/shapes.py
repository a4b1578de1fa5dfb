"""The vocabulary of numpy array shapes; the names of their axes are used everywhere."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int64

Features = Float[np.ndarray, "n_rows feature_dim"]
"""One sample per row."""
Labels = Int64[np.ndarray, " n_rows"]
"""The class id of every row, counted from 0."""
Semantics = Float[np.ndarray, "n_classes semantic_dim"]
"""One semantic vector per class; the row is the class id."""
Ids = Int64[np.ndarray, " _n_ids"]
"""Class ids or row numbers, counted from 0."""
Scores = Float[np.ndarray, "n_rows n_classes"]
"""How well each row fits each class; larger is better."""
PerClass = Float[np.ndarray, " n_ids"]
"""One number per class."""
Mask = Bool[np.ndarray, " n_rows"]
"""One truth value per row."""
Points = Float[np.ndarray, " n_points"]
"""The coordinates of a curve's points."""
