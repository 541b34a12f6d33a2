"""Tests of leftzmq/sync/peers/roster."""
