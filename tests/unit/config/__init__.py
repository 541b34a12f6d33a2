"""Tests of leftzmq/config."""
