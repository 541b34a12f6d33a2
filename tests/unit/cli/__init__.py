"""Tests of leftzmq/cli."""
