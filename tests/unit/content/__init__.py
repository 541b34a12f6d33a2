"""Tests of leftzmq/content."""
