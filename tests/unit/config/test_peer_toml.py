"""peer.toml: what a good one becomes, and the sentence that a user reads for each bad one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable, parse_timetable
from leftzmq.config import (
    Config,
    DeviceConfig,
    DiscoveryConfig,
    Endpoint,
    FolderConfig,
    Limits,
    PeerConfig,
    load,
    load_device,
    load_discovery,
    load_with_mistakes,
    nobody_has_our_key,
)
from leftzmq.content.key_text import key_text, read_key
from leftzmq.errors import ConfigError

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # the zmq_curve manual's example keys
KEY_BYTES = read_key(KEY)
SHOWN = key_text(KEY_BYTES)  # the same key, as `leftzmq id` prints it
DEVICE = """
[device]
name = "peer-a"
state = "state"
listen = "tcp://127.0.0.1:7700"
"""
FOLDER = """
[[folder]]
id = "share"
path = "share"
secret = "share.secret"
"""
PEER = f"""
[[peer]]
name = "peer-b"
address = "tcp://127.0.0.1:7710"
key = "{KEY}"
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "peer.toml"
    file.write_text(text)
    return file


def complaint(tmp_path: Path, text: str) -> str:
    """What the user reads, with the folder's name cut off."""
    error, *_ = load_with_mistakes(written(tmp_path, text))[1]
    assert error.exit_code == 2
    assert error.do, "it says what is wrong, but not what to do"
    return str(error).removeprefix(f"{tmp_path}/")


def folder(name: str, path: str | Path, secret: str | Path) -> str:
    return f'[[folder]]\nid = "{name}"\npath = "{path}"\nsecret = "{secret}"\n'


def test_a_whole_file_becomes_values_with_absolute_paths(tmp_path: Path) -> None:
    file = written(tmp_path, DEVICE + 'bulk = "tcp://[::1]:7"\n' + FOLDER + PEER)
    assert load(file) == Config(
        file=file,
        device=DeviceConfig(
            "peer-a", tmp_path / "state", Endpoint("127.0.0.1", 7700), Endpoint("::1", 7), None
        ),
        folders=(FolderConfig("share", tmp_path / "share", tmp_path / "share.secret"),),
        peers=(PeerConfig("peer-b", Endpoint("127.0.0.1", 7710), KEY_BYTES),),
    )


def test_a_file_without_a_folder_is_one(tmp_path: Path) -> None:
    config = load(written(tmp_path, DEVICE + PEER))
    assert (config.folders, len(config.peers)) == ((), 1)


def test_paths_are_relative_to_the_file_and_not_to_where_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    text = (DEVICE + FOLDER).replace('"share"\nsecret', '"../share"\nsecret')
    written(tmp_path / "config", text)
    monkeypatch.chdir(tmp_path)
    config = load(Path("config/peer.toml"))
    assert config.folders[0].path == tmp_path / "share"
    assert config.file == tmp_path / "config" / "peer.toml"


def test_the_shipped_file_loads_as_it_is_and_its_examples_are_known_keys(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "config" / "peer.toml").read_text()
    (tmp_path / "config").mkdir()
    config = load(written(tmp_path / "config", shipped))
    assert config.peers == ()
    assert config.device.state == tmp_path / "state" / "peer-a"
    examples = re.sub(r'^(?:# )+(?=\w+ += "|\[\[)', "", shipped, flags=re.MULTILINE)
    text = examples.replace("paste its key here", KEY)
    config = load(written(tmp_path / "config", text))
    of_peer = BandwidthLimits(parse_timetable("500 kB/s", ""), parse_timetable("1 MB/s", ""))
    there = Endpoint("192.168.1.20", 7700)
    assert config.peers == (PeerConfig("peer-b", there, KEY_BYTES, limits=of_peer),)
    assert config.limits.up == parse_timetable("2 MB/s", "")
    assert len(config.limits.down.parts) == 2
    assert config.device.bulk == Endpoint("127.0.0.1", 7701)
    assert config.discovery == DiscoveryConfig()


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("", True),
        ("[discovery]\n", True),
        ("[discovery]\nlocal = true\n", True),
        ("[discovery]\nlocal = false\n", False),
    ],
)
def test_what_is_announced_in_the_network_is_for_the_user_to_say(
    tmp_path: Path, text: str, local: bool
) -> None:
    file = written(tmp_path, DEVICE + text + FOLDER)
    assert load(file).discovery == load_discovery(file) == DiscoveryConfig(local)


def test_the_file_is_watched_where_its_user_says_so(tmp_path: Path) -> None:
    assert not load(written(tmp_path, DEVICE)).device.watch_config
    assert load(written(tmp_path, DEVICE + "watch_config = true\n")).device.watch_config
    said = complaint(tmp_path, DEVICE + "watch_config = 1\n")
    assert said.startswith("peer.toml: [device] watch_config: wants true or false")


def test_discovery_is_read_alone_whatever_else_is_wrong(tmp_path: Path) -> None:
    assert not load_discovery(written(tmp_path, "nonsense = 1\n[discovery]\nlocal = false")).local


@pytest.mark.parametrize("text", [KEY, SHOWN, SHOWN.replace("-", ""), f" {SHOWN.upper()} "])
def test_a_key_is_read_in_each_of_its_forms_and_ours_is_found(tmp_path: Path, text: str) -> None:
    config = load(written(tmp_path, DEVICE + FOLDER + PEER.replace(KEY, text)))
    assert config.peers == (PeerConfig("peer-b", Endpoint("127.0.0.1", 7710), KEY_BYTES),)
    nobody_has_our_key(config, bytes(32))
    with pytest.raises(ConfigError, match=r"no. 1 key: is this device's own key \(a \[\[peer"):
        nobody_has_our_key(config, KEY_BYTES)


def test_limits_are_those_of_the_device_and_of_single_peers(tmp_path: Path) -> None:
    limits = "[limits]\nup = '2 MB/s'\ndown = 'mon off'\n"
    text = DEVICE + limits + FOLDER + PEER + "up = '500 kB/s'\n"
    config = load(written(tmp_path, text))
    up, down = parse_timetable("2 MB/s", ""), parse_timetable("mon off", "")
    assert config.limits == BandwidthLimits(up, down)
    assert config.peers[0].limits == BandwidthLimits(parse_timetable("500 kB/s", ""), Timetable())


@pytest.mark.parametrize("line", ["", 'key = ""\n'])
def test_a_peer_without_a_key_or_an_address_is_kept(tmp_path: Path, line: str) -> None:
    config = load(written(tmp_path, DEVICE + FOLDER + f'[[peer]]\nname = "b"\n{line}'))
    assert config.peers == (PeerConfig("b", None, None),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DEVICE.replace("listen", "lisen") + FOLDER,
            'peer.toml: [device] lisen: is not known (did you mean "listen"? '
            "Known here: name, state, listen, bulk, news, watch_config)",
        ),
        (
            DEVICE + FOLDER + "encryption = false\n",
            "peer.toml: [[folder]] no. 1 encryption: is not known (did you mean",
        ),
        (
            DEVICE + FOLDER + "[[peers]]\n",
            'peer.toml: peers: is not known (did you mean "peer"? '
            "Known here: device, discovery, limits, folder, peer)",
        ),
        (
            DEVICE + FOLDER + PEER + "adress = 1\n",
            'peer.toml: [[peer]] no. 1 adress: is not known (did you mean "address"?',
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DEVICE.replace('"tcp://127.0.0.1:7700"', "7700") + FOLDER,
            "peer.toml: [device] listen: wants text in quotes, got a whole number "
            '(write listen = "...")',
        ),
        (
            DEVICE.replace('"peer-a"', "true") + FOLDER,
            "peer.toml: [device] name: wants text in quotes, got true or false",
        ),
        (
            DEVICE + FOLDER.replace('"share"\npath', "[]\npath"),
            "peer.toml: [[folder]] no. 1 id: wants text in quotes, got a list",
        ),
        (
            DEVICE + FOLDER + '[[peer]]\nname = "b"\nkey = 1979-05-27\n',
            "peer.toml: [[peer]] no. 1 key: wants text in quotes, got a date or time",
        ),
        (
            DEVICE + FOLDER.replace("[[folder]]", "[folder]"),
            "peer.toml: [[folder]]: wants tables in a list, got a table",
        ),
        ("device = 1.5", "peer.toml: device: wants one table, got a number with a point"),
        ("[[device]]", "peer.toml: device: wants one table, got a list"),
        (
            DEVICE + "[discovery]\nlocal = 1\n",
            "peer.toml: [discovery] local: wants true or false, got a whole number "
            "(write local = true or local = false)",
        ),
        (DEVICE + "[[discovery]]\n", "peer.toml: discovery: wants one table, got a list"),
        (DEVICE + "[[limits]]\n", "peer.toml: limits: wants one table, got a list"),
        (DEVICE + "[limits]\nup = 500\n", "peer.toml: [limits] up: wants text in quotes, got a"),
        (DEVICE + "[limits]\nupp = 'x'\n", "peer.toml: [limits] upp: is not known (did you mean"),
        (
            DEVICE + "[limits]\nup = '0 kB/s'\n",
            "peer.toml: [limits] up: '0 kB/s' lets nothing pass (to let nothing pass, use",
        ),
        (
            DEVICE + "[limits]\ndown = '25:00-06:00 off'\n",
            "peer.toml: [limits] down: '25:00-06:00 off': 25:00 is no time of day (write 00:00",
        ),
        (
            DEVICE + FOLDER + PEER + "down = '1 kbit/s'\n",
            "peer.toml: [[peer]] no. 1 down: '1 kbit/s' has the unit 'kbit/s', which is not known",
        ),
        (DEVICE + "[discovery]\nlocale = true\n", "peer.toml: [discovery] locale: is not known"),
    ],
)
def test_a_wrong_type_says_what_is_wanted_and_what_was_found(
    tmp_path: Path, text: str, said: str
) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FOLDER, 'peer.toml: device: is missing (add [device] with name = "peer-a")'),
        (
            DEVICE.replace("listen", "# listen") + FOLDER,
            'peer.toml: [device] listen: is missing (add listen = "tcp://127.0.0.1:7700")',
        ),
        (DEVICE.replace("state =", "# ") + FOLDER, "peer.toml: [device] state: is missing"),
        (
            DEVICE + FOLDER.replace("secret =", "# "),
            "peer.toml: [[folder]] no. 1 secret: is missing",
        ),
        (DEVICE + FOLDER + "[[peer]]\n", "peer.toml: [[peer]] no. 1 name: is missing"),
        (DEVICE.replace("peer-a", "") + FOLDER, "peer.toml: [device] name: is empty"),
        (DEVICE.replace('"state"', '" "') + FOLDER, "peer.toml: [device] state: is empty"),
        (DEVICE.replace("peer-a", "peer\\na") + FOLDER, "peer.toml: [device] name: is 'peer\\na'"),
        (DEVICE + folder("s" * 129, "p", "s"), "peer.toml: [[folder]] no. 1 id: is 'ssss"),
        (DEVICE + folder("s ", "p", "s"), "peer.toml: [[folder]] no. 1 id: is 's ' (2 characters)"),
        (DEVICE.replace('"state"', '"~/s"') + FOLDER, "peer.toml: [device] state: begins with ~"),
        (
            DEVICE.replace('"state"', '"a\\u0000b"') + FOLDER,
            "peer.toml: [device] state: is no usable",
        ),
        (
            DEVICE + 'news = "tcp://127.0.0.1:7700"' + FOLDER,
            "peer.toml: [device] news: is the same as",
        ),
        (DEVICE + FOLDER + PEER + PEER, "peer.toml: [[peer]] no. 2 name: is the same as that of"),
        (
            DEVICE + FOLDER + PEER + PEER.replace("peer-b", "peer-c"),
            f"peer.toml: [[peer]] no. 2 key: is the same as that of [[peer]] no. 1: {SHOWN}",
        ),
        (
            DEVICE + FOLDER + PEER + PEER.replace("peer-b", "peer-c").replace(KEY, SHOWN.upper()),
            f"peer.toml: [[peer]] no. 2 key: is the same as that of [[peer]] no. 1: {SHOWN}",
        ),
        (
            DEVICE + FOLDER + PEER.replace("peer-b", "peer-a"),
            "peer.toml: [[peer]] no. 1 name: is the same as [device] name: peer-a",
        ),
        (
            DEVICE + FOLDER + PEER.replace("7710", "7700"),
            "peer.toml: [[peer]] no. 1 address: is the same as [device] listen: "
            "tcp://127.0.0.1:7700",
        ),
        (
            DEVICE + FOLDER + PEER.replace(KEY, "abc"),
            "peer.toml: [[peer]] no. 1 key: is not a device's key: 3 letters and digits, 54 "
            "are wanted (copy what `leftzmq id` prints on that device)",
        ),
        (
            DEVICE + FOLDER + PEER.replace(KEY, SHOWN[:-1] + ("1" if SHOWN[-1] != "1" else "2")),
            "peer.toml: [[peer]] no. 1 key: is not a device's key: there is a mistake in it, its "
            "check does not fit (copy what `leftzmq id` prints on that device)",
        ),
        (
            DEVICE + FOLDER + PEER.replace(KEY, KEY[:-1] + "~"),
            "peer.toml: [[peer]] no. 1 key: is not",
        ),
        (
            DEVICE + FOLDER + "".join(f'[[peer]]\nname = "p{n}"\n' for n in range(63)),
            "peer.toml: [[peer]]: there are 63 of them (leave at most 62)",
        ),
        (
            DEVICE + "".join(folder(f"f{n}", f"p{n}", f"s{n}") for n in range(65)),
            "peer.toml: [[folder]]: there are 65 of them (leave at most 64)",
        ),
    ],
)
def test_what_is_missing_empty_doubled_or_too_much(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


def test_the_limits_themselves_are_allowed(tmp_path: Path) -> None:
    text = "".join(folder(f"{n:0128}", f"p{n}", f"s{n}") for n in range(64))
    text += "".join(f'[[peer]]\nname = "p{n}"\n' for n in range(62))
    config = load(written(tmp_path, DEVICE + text))
    assert (len(config.folders), len(config.peers)) == (64, 62)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            folder("a", "one", "a.secret") + folder("b", "other/../one", "b.secret"),
            "[[folder]] no. 2 path: is the same as that of [[folder]] no. 1: {}/one",
        ),
        (
            folder("a", "one", "a.secret") + folder("b", "link", "b.secret"),
            "[[folder]] no. 2 path: is the same as that of [[folder]] no. 1: {}/one",
        ),
        (
            folder("a", "one", "a.secret") + folder("b", "link/deeper", "b.secret"),
            "[[folder]] no. 2 path: {0}/one/deeper is inside {0}/one, the share of",
        ),
        (
            folder("a", "one/new", "a.secret") + folder("b", "one", "b.secret"),
            "[[folder]] no. 1 path: {0}/one/new is inside {0}/one, the share of [[folder]] no. 2",
        ),
        (
            folder("a", "one", "a.secret") + folder("a", "two", "b.secret"),
            "[[folder]] no. 2 id: is the same as that of [[folder]] no. 1: a",
        ),
        (
            folder("a", "one", "a.secret") + folder("b", "two", "a.secret"),
            "[[folder]] no. 2 secret: is the same as that of [[folder]] no. 1",
        ),
        (
            folder("a", "one", "a.secret") + folder("b", "two", "link/b.secret"),
            "[[folder]] no. 2 secret: {0}/one/b.secret is inside the share {0}/one",
        ),
        (folder("a", "state/in", "s"), "[[folder]] no. 1 path: {0}/state/in is inside the state"),
        (folder("a", "state", "s"), "[device] state: {0}/state is inside the share {0}/state"),
        (
            folder("a", "tatees", "s"),
            "[device] state: {0}/tatees/state is inside the share {0}/tatees",
        ),
        (folder("a", "../up/..", "/s"), "[device] state: {0}/state is inside the share"),
    ],
)
def test_places_that_must_not_meet(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    device = DEVICE.replace('"state"', '"tatees/state"') if "tatees" in text else DEVICE
    assert complaint(tmp_path, device + text).startswith(f"peer.toml: {said.format(tmp_path)}")


def test_the_file_itself_must_not_be_in_a_share(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = DEVICE.replace('"state"', '"../state"') + folder("a", ".", "../a.secret")
    assert "holds this very file" in complaint(tmp_path / "in", text)


def test_neighbours_whose_names_begin_alike_are_no_relatives(tmp_path: Path) -> None:
    text = folder("a", "share", "share.secret") + folder("b", "share-2", "share/../share-2.secret")
    assert len(load(written(tmp_path, DEVICE + text)).folders) == 2


def test_a_missing_file_a_folder_and_bytes_that_are_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file \(`leftzmq share"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    assert "(at line 2, column" in complaint(tmp_path, "[device]\nname = peer-a\n")
    (tmp_path / "peer.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 8"):
        load(tmp_path / "peer.toml")


def test_windows_editors_may_save_it(tmp_path: Path) -> None:
    file = tmp_path / "peer.toml"
    file.write_bytes(b"\xef\xbb\xbf" + (DEVICE + FOLDER).replace("\n", "\r\n").encode())
    assert load(file).device.name == "peer-a"


@pytest.mark.parametrize("rest", ["", "folder = 3\n", '[[peer]]\nkey = "no"\n', "[wrong]\n"])
def test_id_needs_only_the_device(tmp_path: Path, rest: str) -> None:
    text = rest + DEVICE if "folder" in rest else DEVICE + rest
    assert load_device(written(tmp_path, text)).state == tmp_path / "state"


def test_id_says_what_is_wrong_with_the_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'devcie: is not known \(did you mean "device"\?'):
        load_device(written(tmp_path, DEVICE.replace("device", "devcie")))
    with pytest.raises(ConfigError, match=r"\[device\] nam: is not known"):
        load_device(written(tmp_path, DEVICE.replace("name", "nam")))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp://127.0.0.1:1", Endpoint("127.0.0.1", 1)),
        ("tcp://host-1.example.org:65535", Endpoint("host-1.example.org", 65535)),
        ("tcp://[fe80::1%eth0]:80", Endpoint("fe80::1%eth0", 80)),
    ],
)
def test_an_endpoint_reads_and_writes_the_same(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text, "here") == endpoint
    assert str(endpoint) == text


def test_only_our_own_sockets_take_any_port_and_every_address() -> None:
    for text in ("tcp://127.0.0.1:0", "tcp://0.0.0.0:7700", "tcp://[::]:7700"):
        assert str(Endpoint.parse(text, "here", own=True)) == text
        with pytest.raises(ConfigError, match=r"^here: 'tcp:"):
            Endpoint.parse(text, "here")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:7700",
        "udp://127.0.0.1:7700",
        "ipc:///tmp/x",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:٣",
        "tcp://:7700",
        "tcp://*:7700",
        "tcp://300.1.1.1:7700",
        "tcp://1.2.3:7700",
        "tcp://::1:7700",
        "tcp://[]:7700",
        "tcp://[127.0.0.1]:7700",
        "tcp://[::1]",
        "tcp://[fe80::1]:7700",
        "tcp://a b:7700",
        "tcp://-a:7700",
        "tcp://a..b:7700",
        "tcp://eth0;127.0.0.1:7700",
        "tcp://127.0.0.1:7700\n",
        f"tcp://{'a' * 64}:7700",
    ],
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write tcp://HOST:PORT, such as"):
        Endpoint.parse(text, "here", own=True)


def test_what_a_folder_may_take_up_is_configurable(tmp_path: Path) -> None:
    text = DEVICE + FOLDER + "trash_days = 7\ntrash_percent = 0.5\nmin_free_percent = 0\n"
    (folder,) = load(written(tmp_path, text)).folders
    assert folder.limits == Limits(7, 0.5, 0.0)
    (folder,) = load(written(tmp_path, DEVICE + FOLDER)).folders
    assert folder.limits == Limits(30, 10.0, 1.0)
    assert folder.patience_s == 10.0
    (folder,) = load(written(tmp_path, DEVICE + FOLDER + "patience_s = 2.5\n")).folders
    assert folder.patience_s == 2.5


def test_what_a_folder_ignores_on_this_device_alone_is_a_list_of_texts(tmp_path: Path) -> None:
    (folder,) = load(written(tmp_path, DEVICE + FOLDER)).folders
    assert folder.ignore == () and folder.litter
    rules = 'ignore = ["*.iso", "/scratch/", "[open"]\nlitter = false\n'
    (folder,) = load(written(tmp_path, DEVICE + FOLDER + rules)).folders
    assert folder.ignore == ("*.iso", "/scratch/", "[open") and not folder.litter


def test_what_a_folder_fetches_is_a_list_of_paths(tmp_path: Path) -> None:
    (folder,) = load(written(tmp_path, DEVICE + FOLDER)).folders
    assert folder.only == ()
    text = 'only = ["photos/2026/", "a/b/**", "notes.txt"]\n'
    (folder,) = load(written(tmp_path, DEVICE + FOLDER + text)).folders
    assert folder.only == ("photos/2026", "a/b", "notes.txt")


LIMITS = [
    ("trash_days = 0", "trash_days: is 0 (write a number of days from 1 to 36500"),
    ("trash_days = true", "trash_days: wants a number, got true or false"),
    ('trash_percent = "10"', "trash_percent: wants a number, got text"),
    ("trash_percent = nan", "trash_percent: is nan (write a number of percent from 0 to 100"),
    ("trash_percent = -1", "trash_percent: is -1 "),
    ("min_free_percent = 51", "min_free_percent: is 51 "),
    ("index_entries = 999", "index_entries: is 999 "),
    ("index_entries = 5000.5", "index_entries: is 5000.5 (write a whole number of entries)"),
    ('index_entries = "many"', "index_entries: wants a number, got text"),
    ("index_entry_bytes = 20000", "index_entry_bytes: is 20000 "),
    ("patience_s = 1", "patience_s: is 1 (write a number of seconds from 2 to 86400"),
    ('ignore = "*.iso"', 'ignore: wants a list of texts, got text (write ignore = ["*.iso", '),
    ("ignore = 7", "ignore: wants a list of texts, got a whole number"),
    ('ignore = ["a", 7]', "ignore: wants a list of texts, and no. 2 of it is a whole number ("),
    ('ignore = [["a"]]', "ignore: wants a list of texts, and no. 1 of it is a list ("),
    ('only = "a"', "only: wants a list of texts, got text (write only = ["),
    ('only = ["/a"]', "only: '/a': "),
    ('only = ["a/../b"]', "only: 'a/../b': "),
    ('only = [""]', "only: '': "),
    ("litter = 1", "litter: wants true or false, got a whole number"),
    ("min_free = 1", 'min_free: is not known (did you mean "min_free_percent"?'),
    ("trash_day = 1", 'trash_day: is not known (did you mean "trash_days"?'),
]


@pytest.mark.parametrize("line, said", LIMITS, ids=[line for line, _ in LIMITS])
def test_a_limit_that_cannot_be_is_named(tmp_path: Path, line: str, said: str) -> None:
    assert f"[[folder]] no. 1 {said}" in complaint(tmp_path, DEVICE + FOLDER + line)


# ---- a file that is no peer.toml at all ----------------------------------------------------------

DIGITS = "1" * 5000
NO_FILES = {
    "arrays": ("a = " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
    "tables": ("a = " + "{a=" * 5000 + "1" + "}" * 5000, "is nested too deeply"),
    "a dotted key": (".".join("a" * 5000) + " = 1", "is not known"),
    "a long key": (f"{'k' * 100_000} = 1", "is not known"),
    "a long number": (f"a = {DIGITS}", "cannot be read: Exceeds the limit"),
    "a long hex number": (f"{DEVICE}{FOLDER}trash_days = 0x{DIGITS}", "is far off"),
    "a long negative number": (f"{DEVICE}{FOLDER}trash_days = -{'9' * 4000}", "is far off"),
    "a long float": (f"{DEVICE}{FOLDER}trash_days = {DIGITS}.5", "is inf"),
    "no day": ("a = 2026-13-45", "is not TOML"),
    "a date": (f"{DEVICE}{FOLDER}trash_days = 9999-12-31", "wants a number, got a date or time"),
    "NUL": ("a = 1\0", "is not TOML"),
    "NUL in a name": (DEVICE.replace("peer-a", "a\\u0000"), "printable characters"),
    "NUL in a path": (DEVICE.replace('"state"', '"a\\u0000"'), "is no usable path"),
    "half a letter": ('a = "\\ud800"', "is not TOML"),
    "too long": ("# " + "x" * (1 << 20), "is over 1 MiB long"),
    "a long endpoint": (DEVICE.replace("tcp://", "tcp://" + "x" * 100_000), "host"),
    "a long path": (DEVICE.replace('"state"', f'"{"x/" * 50_000}"') + FOLDER, "no usable path"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_config_is_a_sentence(tmp_path: Path, name: str) -> None:
    text, said = NO_FILES[name]
    file = tmp_path / "peer.toml"
    file.write_text(text)
    error, *_ = load_with_mistakes(file)[1]
    assert said in str(error) and error.exit_code == 2


@pytest.mark.parametrize("read", [load, load_device])
def test_what_is_no_file_does_not_hang(tmp_path: Path, read: Any) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)
    for place, said in (
        (tmp_path / "fifo", "is not a regular file"),
        (tmp_path, "Is a directory"),
        (Path("/dev/zero"), "is not a regular file"),
        (tmp_path / "huge", "is over 1 MiB long"),
    ):
        with pytest.raises(ConfigError, match=said):
            read(place)


# -- a folder with a mistake keeps nothing else from being used -----------------------------------


@pytest.mark.parametrize(
    ("text", "used", "unusable"),
    [
        (folder("a", "one", "a.s") + "x = 1\n" + folder("b", "two", "b.s"), ["b"], ["a"]),
        (folder("a", "one", "a.s") + folder("b", "one/in", "b.s"), ["a"], ["b"]),
        (folder("a", "one/in", "a.s") + folder("b", "one", "b.s"), ["a"], ["b"]),
        (folder("a", "one", "a.s") + folder("b", "two", "one/b.s"), ["a"], ["b"]),
        (folder("a", "one", "two/a.s") + folder("b", "two", "b.s"), ["a"], ["b"]),
        (folder("a", "one", "one/a.s") + folder("b", "two", "b.s"), ["b"], ["a"]),
        (folder("a", ".", "a.s") + folder("b", "one", "b.s"), ["b"], ["a"]),
        (folder("a", "state/in", "a.s") + folder("b", "one", "b.s"), ["b"], ["a"]),
        (folder("a", "one", "a.s") + folder("a", "two", "b.s"), ["a"], ["[[folder]] no. 2"]),
        (folder("a", "one", "a.s") + folder("b", "two", "a.s"), ["a"], ["b"]),
        (
            folder("a", "one", "a.s")
            + folder("b", "one/in", "b.s")
            + folder("c", "one/in/deep", "c.s")
            + folder("d", "two", "d.s"),
            ["a", "d"],
            ["b", "c"],
        ),
        (
            "[[folder]]\n[[folder]]\nid = 5\n" + folder("c", "one", "c.s"),
            ["c"],
            ["[[folder]] no. 1", "[[folder]] no. 2"],
        ),
    ],
)
def test_a_folder_with_a_mistake_is_left_out_and_named(
    tmp_path: Path, text: str, used: list[str], unusable: list[str]
) -> None:
    file = written(tmp_path, DEVICE + text + PEER)
    config = load(file)
    assert [one.id for one in config.folders] == used and len(config.peers) == 1
    assert [one.id for one in config.unusable] == unusable
    assert config.folder_ids == (*used, *unusable)
    said = [str(error) for error in load_with_mistakes(file)[1]]
    assert all(one.why in said for one in config.unusable)


def test_what_an_unusable_folder_names_is_shown_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    text = folder("a", "one", "a.s") + 'x = 1\n[[folder]]\nid = "b"\npath = 5\n'
    first, second = load(written(tmp_path, DEVICE + text)).unusable
    assert (first.path, second.path) == (str(tmp_path / "one"), "")


@pytest.mark.parametrize(
    "wrong",
    ["folder = 3\n" + DEVICE, DEVICE + "[other]\n", DEVICE + '[[peer]]\nkey = "x"\n', FOLDER],
)
def test_a_mistake_elsewhere_is_one_of_the_whole_file(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError):
        load(written(tmp_path, wrong))
