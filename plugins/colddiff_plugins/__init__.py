"""The built-in components, registered through the same hooks as everybody else's."""
