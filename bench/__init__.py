"""Figures: what Baton costs beside the bare parts it is made of, measured in one run on one machine."""
