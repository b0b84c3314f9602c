"""Training a restorer: `colddiff_core.train` makes a model folder."""
