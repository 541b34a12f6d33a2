"""Which paths of a share are ignored, by which rule of which file. Pure.

From the bottom up: `pattern` (what one line means), `rule_file` (the bytes of one file become rules
and mistakes), `automaton` and `matcher` (the rules of one file, made fast), `litter` (what programs
leave behind), `share_rules` (all rules of a share: the one question is asked there).

The meaning of a line is git's (gitignore(5)). Knows no file system, no clock and no thread. Must
not know what follows from an answer: what is told to other devices, and what is removed.
"""
