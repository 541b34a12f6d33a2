"""Tests of leftzmq/sync/exchange."""
