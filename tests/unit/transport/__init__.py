"""Tests of leftzmq/transport."""
