"""Mistakes about who is in a folder: a removal, an epoch, or a hold that nothing follows from.

Knows the text of sync/peers, sync/exchange and sync/apply. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_ROSTER: Final = "tests/unit/sync/peers/roster"
_EXCHANGE: Final = f"{_ROSTER}/test_exchange.py"
_EPOCHS: Final = f"{_ROSTER}/test_epochs.py"
_HOLD: Final = "tests/unit/sync/test_hold.py"


def _bug(
    name: str, breaks: str, file: str, anchor: str, instead: str, laws: str, *tests: str
) -> Bug:
    edits = (Edit(f"leftzmq/sync/{file}", anchor, instead),)
    return Bug(name, breaks, edits, frozenset(laws.split(", ")), tests)


BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a removal is not spread",
        "All members have the same roster.",
        (
            Edit(
                "leftzmq/sync/peers/roster/exchange.py",
                "            told = [*(each for each in heard if each.id not in knows), *said]\n",
                "            told = [*(each for each in heard if each.id not in knows), *said]\n"
                "            if device not in removed:\n"
                "                gone = [it for it in told if isinstance(it.statement, Removal)]\n"
                "                told = [it for it in told if it not in gone]\n",
            ),
            Edit(
                "leftzmq/sync/peers/roster/roster.py",
                "            ordered[id] = self._signed[id]\n",
                "",
            ),
        ),
        frozenset(("roster",)),
        (_EXCHANGE,),
    ),
    _bug(
        "a removal changes no epoch",
        "What is sealed after a removal the removed device cannot open.",
        "peers/roster/roster.py",
        "        if tag == self.folder and not judgement.counting:\n",
        "        if tag == self.folder:\n",
        "sealed",
        _EPOCHS,
    ),
    _bug(
        "an epoch is clean whatever its maker did not know",
        "What is sealed after a removal the removed device cannot open.",
        "peers/roster/rules.py",
        " and covers_all(epoch, judgement)",
        "",
        "sealed, roster",
        f"{_ROSTER}/test_rules.py",
        _EPOCHS,
    ),
    _bug(
        "the secret of an epoch goes to whoever is connected",
        "The secret of an epoch goes to live members alone.",
        "peers/roster/exchange.py",
        "        for device in self._peers.connected():\n"
        "            if device != told_by and folder in self._shared_with(device):\n"
        "                out += self._key_in_use(folder, device)\n",
        "        for device in self._peers.connected():\n"
        "            link, used = self._link(device), folder.epochs.in_use\n"
        "            if link and used and folder.epochs.secret(used.tag):\n"
        "                out.append(SendEpochKey(link, folder.id, used.tag))\n",
        "removed, sealed",
        _EPOCHS,
    ),
    _bug(
        "who is removed is served until it greets again",
        "A removed device gets nothing from those who know of it.",
        "routes/devices.py",
        "        out += self._on_peer_left(PeerLeft(fact.device, (fact.folder,)), now)\n",
        "",
        "removed",
        _EXCHANGE,
    ),
    _bug(
        "what a removed device said still counts where a person wrote it",
        "What a removed device said counts for nothing.",
        "routes/devices.py",
        "        if folder.stopped is None:\n"
        "            out += folder.within(partial(folder.index_client.on_member_excluded,",
        "        if False:\n"
        "            out += folder.within(partial(folder.index_client.on_member_excluded,",
        "I1",
        _EXCHANGE,
    ),
    _bug(
        "who is removed goes on",
        "A removed device changes nothing any more: its files stay.",
        "peers/roster/exchange.py",
        "            out.append(FolderStopped(folder.id, stop))\n",
        "            pass\n",
        "removed",
        _EXCHANGE,
    ),
    _bug(
        "only of whom a removal is new it is asked who is out",
        "Who was let in again by a removed device goes with it.",
        "peers/roster/exchange.py",
        "        removed = [device for device in self._out[folder.id] if device not in before]\n",
        "        new = [one.statement for one in (*heard, *folder.untold)]\n"
        "        named = {DeviceKey(one.device) for one in new if isinstance(one, Removal)}\n"
        "        gone = [device for device in self._out[folder.id] if device not in before]\n"
        "        removed = [device for device in gone if device in named]\n",
        "removed, roster",
        _EXCHANGE,
    ),
    _bug(
        "who waited for a parent is not told to who brought it",
        "All members have the same roster.",
        "peers/roster/exchange.py",
        "            told_by = (device, {each.id for each in fact.said.statements})\n",
        "            told_by = (device, {each.id for each in new})\n",
        "roster",
        _EXCHANGE,
    ),
    _bug(
        "what others say is told before it is kept",
        "A statement is durable before it is told.",
        "peers/roster/rosters.py",
        "        self._keep(folder, new)\n        return new, refused\n",
        "        self._judge(folder)\n        return new, refused\n",
        "word",
        _EXCHANGE,
    ),
    _bug(
        "nobody is told who may only read",
        "A version counts only if a full member said it over its own link, or we made it.",
        "peers/roster/rosters.py",
        '        return frozenset(each for each in roster.live() if roster.mode(each) == "read")\n',
        "        return frozenset()\n",
        "counts, I1",
        "tests/unit/sync/test_read_only.py",
    ),
    _bug(
        "a held folder tells what it has",
        "A held folder tells nothing until its user says yes.",
        "exchange/announcer.py",
        "        return 0 if self._hold.holds else self.flushed\n",
        "        return self.flushed\n",
        "held",
        _HOLD,
    ),
    _bug(
        "a held folder takes what others have",
        "A held folder changes nothing until its user says yes.",
        "apply/applier.py",
        "        return self.stopped or self._hold.holds or self.leftings.clearing\n",
        "        return self.stopped or self.leftings.clearing\n",
        "held",
        _HOLD,
    ),
    _bug(
        "a held folder gives",
        "A held folder tells nothing until its user says yes.",
        "node.py",
        "        return None if id is None or self.folders[id].hold.holds else id\n",
        "        return id\n",
        "held",
        _HOLD,
    ),
)
