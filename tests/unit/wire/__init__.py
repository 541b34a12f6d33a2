"""Tests of leftzmq/wire."""
