"""Floods of deletes and waves of noise are held back until a user decides (docs/decisions/0003)."""
