"""Recipes and model folders, at rest."""
