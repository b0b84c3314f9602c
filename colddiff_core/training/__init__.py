"""Training a restorer: `train(recipe, folder)` makes a model folder."""

from colddiff_core.training.trainer import TrainingStep, train

__all__ = ["TrainingStep", "train"]
