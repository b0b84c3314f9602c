"""Recipes, to be trained by name."""
