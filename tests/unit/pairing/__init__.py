"""Tests of leftzmq/pairing."""
