"""Networks whose features Fréchet distances are taken on.

A distance says nothing without the network it was taken on: only that on the features of
`inception` is the FID of the literature. Each network is named for what it is, and the checksum of
its weights is part of an evaluation's protocol.
"""

from colddiff_core.evaluation.features.network import FeatureNetwork, feature_network, names

__all__ = ["FeatureNetwork", "feature_network", "names"]
