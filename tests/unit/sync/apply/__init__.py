"""Tests of leftzmq/sync/apply."""
