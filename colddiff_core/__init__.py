"""The core of colddiff: contracts, hooks, process, restoring, training and model folders.

Everything public is here, as `__init__.pyi` lists it, and nothing is imported until it is used:
`import colddiff_core` costs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
