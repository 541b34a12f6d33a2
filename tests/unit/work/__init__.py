"""Tests of leftzmq/work."""
