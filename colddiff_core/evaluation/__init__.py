"""How far restored images are from the clean ones.

`colddiff_core.evaluate` makes the table; it imports torchmetrics, which takes seconds.
"""
