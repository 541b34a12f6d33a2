"""Tests of leftzmq/sync/scan."""
