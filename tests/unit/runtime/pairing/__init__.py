"""Tests of leftzmq/runtime."""
