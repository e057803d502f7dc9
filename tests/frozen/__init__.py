"""The frozen set: studies whose numbers stay, to the bit, from one version of the package to the next."""
