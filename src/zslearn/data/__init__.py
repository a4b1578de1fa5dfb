"""What goes in: data sets, their splits, and the files that they are read from."""

from zslearn.data.catalog import data_folder, known_data, load_data
from zslearn.data.dataset import TestView, TrainingView, ZSLDataset
from zslearn.data.splits import RehearsalFold, class_split, rehearsal_folds
from zslearn.data.tables import read_features
from zslearn.data.xlsa17 import read_xlsa17

__all__ = [
    "RehearsalFold",
    "TestView",
    "TrainingView",
    "ZSLDataset",
    "class_split",
    "data_folder",
    "known_data",
    "load_data",
    "read_features",
    "read_xlsa17",
    "rehearsal_folds",
]
