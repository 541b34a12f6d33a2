"""Answers get messages with chunks for other devices, and handles local bytes that changed on
disk."""
