"""Tests of leftzmq/runtime/listing."""
