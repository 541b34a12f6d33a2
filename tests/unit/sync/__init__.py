"""Tests of leftzmq/sync."""
