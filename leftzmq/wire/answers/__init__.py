"""Replies to the questions why, plan, doctor, fleet and metrics."""
