"""Tests of leftzmq/sync/download."""
