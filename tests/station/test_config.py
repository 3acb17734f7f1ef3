from pathlib import Path

import pytest

from gateway.config import HubConfig, StationSettings, load
from gateway.errors import ConfigurationError

STATION = """
station = "kiosk-7"
site = "site-one"
setting = "kiosk"
data_dir = "data"
hub_public_key = "{key}"

[mqtt]
hosts = ["hub.example:8883", "[::1]:1883"]
user = "kiosk-7"
password_file = "mqtt.password"

[journal]
quota_mb = 500

[[device]]
key = "board-1"
link = "bytes"
driver = "lepu-kiosk"
address = "/dev/ttyUSB0"
quirks = {{ baud = 115200 }}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text, "utf-8")
    return path


def station(folder: Path) -> Path:
    return write(folder, STATION.format(key="ab" * 32))


def test_a_station_s_file(tmp_path: Path) -> None:
    (tmp_path / "mqtt.password").write_text("hush\n", "utf-8")
    settings = load(station(tmp_path), StationSettings)
    assert settings.mqtt.addresses == [("hub.example", 8883), ("::1", 1883)]
    assert settings.mqtt.password() == "hush"
    assert settings.journal.quota_bytes == 500_000_000
    assert settings.journal_path == tmp_path / "data" / "journal.db"
    assert settings.hub_key == b"\xab" * 32
    assert settings.zone.key == "Asia/Shanghai"
    assert settings.session.idle.total_seconds() == 300
    assert settings.device[0].quirks == {"baud": 115200}
    assert settings.http.host == "127.0.0.1"


def test_a_hub_s_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'data_dir = "/var/lib/vitalgate"\nroster = "people.toml"')
    settings = load(path, HubConfig)
    assert settings.database_url == "sqlite:////var/lib/vitalgate/hub.db"
    assert settings.roster == tmp_path / "people.toml"
    assert settings.broker.enabled


@pytest.mark.parametrize(
    ("old", "new", "setting", "remedy"),
    [
        ('station = "kiosk-7"', "", "station: ", "Add the setting"),
        ('station = "kiosk-7"', 'station = "Kiosk 7"', "station: ", "Correct"),
        ("quota_mb = 500", "quota_mb = 1", "journal.quota_mb: ", "Correct"),
        ("quota_mb = 500", "qouta_mb = 500", "journal.qouta_mb: ", "spelling"),
        ("hub.example:8883", "hub.example", "mqtt.hosts.0: must be host:port", ""),
        ("hub.example:8883", "hub.example:99999", "mqtt.hosts.0: ", ""),
        ('address = "/dev/ttyUSB0"', "", "device.0: needs address", ""),
        ('link = "bytes"', 'link = "wifi"', "device.0.link: ", ""),
        ("[mqtt]", '[mqtt]\ncertificate = "c.pem"', "mqtt: certificate and key", ""),
        ("[mqtt]", "[mqtt]\npinned = true", "mqtt: pinned needs ca", ""),
        ("ab" * 32, "zz", "hub_public_key: ", ""),
        (
            'setting = "kiosk"',
            'setting = "kiosk"\ntime_zone = "Mars"',
            "time_zone: must be an IANA",
            "",
        ),
    ],
)
def test_an_error_names_file_setting_and_remedy(
    tmp_path: Path, old: str, new: str, setting: str, remedy: str
) -> None:
    text = STATION.format(key="ab" * 32)
    assert old in text
    path = write(tmp_path, text.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load(path, StationSettings)
    message = str(caught.value)
    assert message.startswith(f"{path}: {setting}")
    assert remedy in message
    assert caught.value.remedy


def test_two_devices_with_one_key(tmp_path: Path) -> None:
    text = STATION.format(key="ab" * 32)
    double = text + text[text.index("[[device]]") :]
    with pytest.raises(ConfigurationError, match="two devices have the same key"):
        load(write(tmp_path, double), StationSettings)


def test_a_value_is_never_shown(tmp_path: Path) -> None:
    text = STATION.format(key="ab" * 32)
    path = write(tmp_path, text.replace("[mqtt]", '[mqtt]\npassword = "hush-hush"'))
    with pytest.raises(ConfigurationError) as caught:
        load(path, StationSettings)
    assert "hush-hush" not in str(caught.value)
    assert "mqtt.password" in str(caught.value)


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", '"x'])
def test_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="not TOML"):
        load(write(tmp_path, text), StationSettings)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--config"):
        load(tmp_path / "none.toml", StationSettings)


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_secret_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    settings = load(station(tmp_path), StationSettings)
    if content is not None:
        (tmp_path / "mqtt.password").write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=r"mqtt\.password_file"):
        settings.mqtt.password()
