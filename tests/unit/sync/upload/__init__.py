"""Tests of leftzmq/sync/upload."""
