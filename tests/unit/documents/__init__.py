"""Tests of leftzmq/documents."""
