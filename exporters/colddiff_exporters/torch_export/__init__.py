"""One step as a `torch.export` program: for torch without this project's classes."""
