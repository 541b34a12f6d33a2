"""Tests of leftzmq/sync/admin."""
