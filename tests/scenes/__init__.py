"""What other synchronisers try out on their own programs, played by real agents.

The scenes are those of Syncthing's integration tests with its sizes, the two that it has commented
out, and one of ours: two folders with different members. `python -m tests.scenes` plays all of
them in full size; `tests/scenes/test_scenes.py` plays the quick ones, smaller.

A module is a group of scenes; `cast` sets agents up and waits for them, `grow` makes and changes
trees, `compare` reads them. A scene is a function of a Stage that raises when it goes wrong.
"""
