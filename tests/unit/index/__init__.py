"""Tests of leftzmq/index."""
