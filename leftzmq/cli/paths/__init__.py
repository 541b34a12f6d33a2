"""Commands about paths of a folder: problems, conflict copies, the trash, what is ignored."""
