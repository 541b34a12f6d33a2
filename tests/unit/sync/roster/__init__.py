"""Tests of leftzmq/sync/roster."""
