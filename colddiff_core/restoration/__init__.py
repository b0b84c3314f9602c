"""Restore pictures with any model."""
