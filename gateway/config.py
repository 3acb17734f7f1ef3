"""``station.toml`` and ``hub.toml``: what can be set, checked when it is loaded.

An error names the file, the setting and what to do; it never shows a value, since one
may be a password. Relative paths are relative to the file's folder.
"""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gateway.errors import ConfigurationError

# Below this a journal cannot hold a day of one ECG lead, its keys and dead letters.
MIN_QUOTA_MB: Final = 64
KEY_HEX_DIGITS: Final = 64

_IDENTIFIER: Final = r"^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$"
_HOST: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d+)\Z")
_MAX_PORT: Final = 65_535


def _host(value: str) -> str:
    match = _HOST.match(value)
    if match is None or not 0 < int(match["port"]) <= _MAX_PORT:
        raise ValueError("must be host:port, such as hub.example:8883")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be an IANA time zone, such as Asia/Shanghai") from error
    return value


def _path(value: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    if isinstance(value, str) and isinstance(folder, Path):
        return folder / Path(value).expanduser()
    return value


Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
HostPort = Annotated[str, AfterValidator(_host)]
Zone = Annotated[str, AfterValidator(_zone)]
FilePath = Annotated[Path, BeforeValidator(_path)]
PublicKey = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{KEY_HEX_DIGITS}}}$")]


class Section(BaseModel):
    """A table of the file; an unknown setting is an error, since it is a typing one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class MqttConfig(Section):
    """``[mqtt]``: the broker's hosts in order of preference, and who we are there."""

    hosts: tuple[HostPort, ...] = Field(min_length=1)
    user: str = ""
    password_file: FilePath | None = None
    tls: bool = True
    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    pinned: bool = False

    @model_validator(mode="after")
    def _pair(self) -> "MqttConfig":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together or not at all")
        if self.pinned and self.ca is None:
            raise ValueError("pinned needs ca, the broker's own certificate")
        return self

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each."""
        parts = [host.rpartition(":") for host in self.hosts]
        return [(host.strip("[]"), int(port)) for host, _, port in parts]

    def password(self) -> str:
        """The password from its file; empty without one.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return read_secret(self.password_file, "mqtt.password_file")


class JournalConfig(Section):
    """``[journal]``: disk that unsent readings may fill."""

    quota_mb: int = Field(default=2_048, ge=MIN_QUOTA_MB)

    @property
    def quota_bytes(self) -> int:
        """In bytes."""
        return self.quota_mb * 1_000_000


class SessionConfig(Section):
    """``[session]``: a session without a reading is closed after this."""

    idle_minutes: float = Field(default=5.0, gt=0, le=240)

    @property
    def idle(self) -> timedelta:
        """As a duration."""
        return timedelta(minutes=self.idle_minutes)


class HttpConfig(Section):
    """``[http]``: where the web interface listens; loopback unless told otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=_MAX_PORT)
    token_file: FilePath | None = None


class DeviceConfig(Section):
    """``[[device]]``: a device that the station names itself; wins over discovery."""

    key: Identifier
    link: Literal["gatt", "bytes"]
    driver: str = ""
    address: str = ""
    name: str = ""
    serial_number: str = ""
    quirks: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _recognisable(self) -> "DeviceConfig":
        if not (self.address or self.name or self.serial_number):
            raise ValueError("needs address, name or serial_number")
        return self


class RadioConfig(Section):
    """``[radio]``: BLE; ``adapter`` such as hci0, empty for the system's first."""

    enabled: bool = True
    adapter: str = ""


class SerialConfig(Section):
    """``[serial]``: boards on serial ports.

    ``only_configured`` leaves alone every port that no ``[[device]]`` names.
    """

    enabled: bool = True
    only_configured: bool = False


class StationSettings(Section):
    """``station.toml``."""

    station: Identifier
    site: Identifier
    setting: Literal["kiosk", "home", "visit"]
    data_dir: FilePath
    mqtt: MqttConfig
    time_zone: Zone = "Asia/Shanghai"
    hub_public_key: PublicKey | None = None
    accept_unlisted: bool = True
    journal: JournalConfig = JournalConfig()
    session: SessionConfig = SessionConfig()
    http: HttpConfig = HttpConfig(port=8090)
    radio: RadioConfig = RadioConfig()
    serial: SerialConfig = SerialConfig()
    device: tuple[DeviceConfig, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "StationSettings":
        keys = [device.key for device in self.device]
        if len(set(keys)) < len(keys):
            raise ValueError("device: two devices have the same key")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def hub_key(self) -> bytes:
        """The hub's public key; empty when none is configured."""
        return bytes.fromhex(self.hub_public_key or "")

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.data_dir / "journal.db"

    @property
    def key_path(self) -> Path:
        """The station's private key, made at the first start."""
        return self.data_dir / "station.key"


class BrokerConfig(Section):
    """``[broker]``: the embedded broker; not used when ``[mqtt]`` names another."""

    enabled: bool = True
    port: int = Field(default=1883, ge=0, le=_MAX_PORT)
    binary: FilePath | None = None


class InfluxConfig(Section):
    """``[influx]``: a copy of the readings in InfluxDB 2 or what speaks its API."""

    url: str = Field(pattern=r"^https?://")
    bucket: str = "vitalgate"
    org: str = "vitalgate"
    token_file: FilePath | None = None
    server: Literal["influxdb2", "victoriametrics"] = "influxdb2"

    def token(self) -> str:
        """The access token; empty without a file.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return read_secret(self.token_file, "influx.token_file")


class HubConfig(Section):
    """``hub.toml``."""

    data_dir: FilePath
    database: str = ""
    site: Identifier = "hub"
    time_zone: Zone = "Asia/Shanghai"
    roster: FilePath | None = None
    rules: FilePath | None = None
    mqtt: MqttConfig | None = None
    broker: BrokerConfig = BrokerConfig()
    http: HttpConfig = HttpConfig()
    influx: InfluxConfig | None = None
    production: bool = False

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL; SQLite in ``data_dir`` unless given."""
        return self.database or f"sqlite:///{self.data_dir / 'hub.db'}"

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def key_path(self) -> Path:
        """The hub's private key, made at the first start."""
        return self.data_dir / "hub.key"


S = TypeVar("S", bound=Section)


def load(path: Path, kind: type[S]) -> S:
    """Read and check a configuration file, such as ``load(path, StationSettings)``.

    Raises:
        ConfigurationError: it cannot be read, is not TOML, or a setting is wrong.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}.", remedy="Give the path with --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The parser names line and column, and never shows the text.
        raise ConfigurationError(
            f"{path}: not TOML: {error}.", remedy="Correct the file's syntax."
        ) from error
    try:
        return kind.model_validate(data, context={"folder": path.parent.resolve()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        setting = ".".join(str(part) for part in first["loc"]) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"{path}: {setting}: {message}.", remedy=_remedy(first["type"])
        ) from None


def read_secret(path: Path | None, setting: str) -> str:
    """The first line of a secret's file; empty without a path.

    Raises:
        ConfigurationError: the file cannot be read or is empty.
    """
    if path is None:
        return ""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{setting}: {path} cannot be read.", remedy="Check path and permissions."
        ) from error
    if not lines or not lines[0].strip():
        raise ConfigurationError(
            f"{setting}: {path} is empty.", remedy="Put the secret on its first line."
        )
    return lines[0].strip()


def _remedy(kind: str) -> str:
    return {
        "missing": "Add the setting.",
        "extra_forbidden": "Remove it or correct its spelling.",
    }.get(kind, "Correct the setting.")
