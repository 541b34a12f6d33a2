"""What several tests build on: meshes in one thread, strangers, floods, trees."""
