"""The programs that are measured, each behind the same interface (pair.Pair)."""
