"""The orders service: places orders at the catalog's prices, shows them, cancels them, and streams their changes."""
