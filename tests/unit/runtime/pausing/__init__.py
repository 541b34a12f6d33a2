"""Tests of leftzmq/runtime/pausing."""
