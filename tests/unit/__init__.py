"""Tests of single packages, in the order of leftzmq/."""
