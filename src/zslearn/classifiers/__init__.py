"""Classifiers over features: closed forms, and the correction of the shift toward seen classes."""
