"""Tests of leftzmq/sync/guard."""
