"""The index of a folder, to the other devices and from them: news, and answers to index_since."""
