"""Exchanges the index of a folder with other devices: news, and answers to index_since."""
