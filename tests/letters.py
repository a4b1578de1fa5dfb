"""The letter that tests of the app take from a model, to add it again by its description."""

NEW = "C"
