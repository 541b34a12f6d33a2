"""Tests of tests/helpers."""
