"""Holds back floods of deletes and waves of noise until a user decides (docs/decisions/0003)."""
