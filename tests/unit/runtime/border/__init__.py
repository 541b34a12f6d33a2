"""Tests of leftzmq/runtime/border."""
