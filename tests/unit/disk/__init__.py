"""Tests of leftzmq/disk."""
