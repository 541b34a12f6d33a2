"""Tests of leftzmq/tree."""
