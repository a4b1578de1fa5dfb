"""The final classifier, the closed-form references beside it, and the correction of the shift toward seen classes."""
