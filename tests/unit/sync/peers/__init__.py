"""Tests of leftzmq/sync/peers."""
