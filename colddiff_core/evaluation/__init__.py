"""How far restored images are from the clean ones.

`colddiff_core.evaluation.evaluate` makes the table; it imports torchmetrics, which takes seconds.
"""

from colddiff_core.evaluation.comparison import Comparison, compare, rmse

__all__ = ["Comparison", "compare", "rmse"]
