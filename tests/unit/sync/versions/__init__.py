"""Tests of leftzmq/sync/versions."""
