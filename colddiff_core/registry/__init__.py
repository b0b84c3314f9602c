"""Plugins and their components: hooks, discovery, switches, schemas, events."""
