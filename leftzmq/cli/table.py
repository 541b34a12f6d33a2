"""`leftzmq status` for a person."""

from __future__ import annotations

from typing import Any, Final

from leftzmq.cli.lines import human_bytes, printable

SHOWN_PROBLEMS: Final = 20


def status_text(status: dict[str, Any]) -> str:
    """The whole answer as text, with what needs attention last."""
    lines = [f"device   {printable(status['device'])}", f"key      {status['key']}", ""]
    lines += _peers(status["peers"])
    for folder in status["folders"]:
        lines += ["", *_folder(folder)]
    return "\n".join(lines) + "\n"


def _peers(peers: list[dict[str, Any]]) -> list[str]:
    if not peers:
        return ["no peers: add [[peer]] to the config"]
    width = max(len(printable(peer["name"])) for peer in peers)
    return [
        f"peer     {printable(peer['name']):<{width}}  "
        f"{'connected' if peer['connected'] else _away(peer)}"
        for peer in peers
    ]


def _away(peer: dict[str, Any]) -> str:
    if peer["state"] == "no key":
        return "no key: put its `leftzmq id` into the config"
    return f"not connected{': ' + printable(peer['note']) if peer['note'] else ''}"


def _folder(folder: dict[str, Any]) -> list[str]:
    lines = [
        f"folder   {printable(folder['id'])}  {folder['state']}",
        f"  files      {folder['files']}, {human_bytes(folder['bytes'])}",
        f"  tickets    {folder['tickets']}, {human_bytes(folder['need_bytes'])} to come",
        f"  sent       {human_bytes(folder['sent_bytes'])}",
        f"  received   {human_bytes(folder['received_bytes'])}",
    ]
    if folder["why"]:
        lines.append(f"  stopped    {printable(folder['why'])}")
    for file in folder["under_way"]:
        share = 100 * file["have"] // max(1, file["size"])
        lines.append(f"  arriving   {printable(file['path'])}  {share}%")
    for problem in folder["problem_list"][:SHOWN_PROBLEMS]:
        lines.append(f"  problem    {printable(problem['text'])}")
    hidden = folder["problems"] - SHOWN_PROBLEMS
    if hidden > 0:
        lines.append(f"             and {hidden} more")
    for path in folder["conflict_list"]:
        lines.append(f"  conflict   {printable(path)}")
    return lines
