"""Which paths of a share are ignored, by which rule of which file. Pure.

From the bottom up: `pattern` (what one line means), `rule_file` (the bytes of one file become rules
and mistakes), `automaton` and `matcher` (the rules of one file, made fast), `litter` (what programs
leave behind), `share_rules` (all rules of a share: the one question is asked there).

The meaning of a line is git's (gitignore(5)), and so is the order of files. These points differ on
purpose:

* rule files are never ignored, but for those in an ignored folder: other devices need them;
* there are three groups (rule files, local rules, litter), and `!` undoes only within its own;
* a conflict copy is judged by the name of its file, and one of a rule file rules beside it;
* a file that is no UTF-8, has a NUL or is too large is no file of rules at all;
* the case of letters counts on every disk, as with core.ignorecase=false;
* `foo**/bar` is `foo*/bar`, as gitignore(5) says. Some gits (2.39 is one) compare `foo` by itself
  and then take `**/` for any folders.

sync/scan/keeping holds the rules of a folder, as a value that walks and looks carry with them.
docs/ignoring.md says to users what a rule does.

Knows no file system, no clock and no thread. Must not know what follows from an answer: what is
told to other devices, and what is removed.
"""
