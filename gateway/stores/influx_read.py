"""Reading the projection back: Flux on InfluxDB 2, export on VictoriaMetrics.

The console reads the embedded store; reading back serves the projection itself (is
what I wrote still there?), ``vitalgate check`` and the contract tests.
"""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol, TypedDict
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from gateway.errors import StorageError
from gateway.stores.lines import MARKER

# An answer larger than this is refused: a year of one metric at one a minute is 40 MB.
MAX_ANSWER_BYTES: Final = 64_000_000
TIMEOUT_S: Final = 10.0

Sample = tuple[int, Decimal | None, str]


class _Series(TypedDict):
    """One line of ``/api/v1/export``."""

    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


# A record of a Flux answer; its columns have types of their own.
_Record = dict[str, Any]


class Reader(Protocol):
    """What the projection needs to see of its own writing."""

    async def markers(self, store: str, since_ms: int, until_ms: int) -> set[int]:
        """The ``seq`` of every marker written in ``[since, until]``.

        Raises:
            StorageError: the server did not answer.
        """

    async def samples(
        self, resident: str, metric: str, start_ms: int, end_ms: int
    ) -> list[Sample]:
        """(epoch ms, value or None, absent reason) in ``[start, end)``, ascending.

        Instants that carry ``moved`` are left out.

        Raises:
            StorageError: the server did not answer.
        """


class VictoriaReader:
    """VictoriaMetrics: ``/api/v1/export``, raw samples as JSON lines."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=2)

    async def markers(self, store: str, since_ms: int, until_ms: int) -> set[int]:
        """See ``Reader.markers``."""
        match = f'{{__name__="{MARKER}_seq",store={json.dumps(store)}}}'
        series = await self._export(match, since_ms, until_ms)
        return {int(value) for row in series for value in row["values"]}

    async def samples(
        self, resident: str, metric: str, start_ms: int, end_ms: int
    ) -> list[Sample]:
        """See ``Reader.samples``; VictoriaMetrics keeps no strings."""
        match = (
            f'{{__name__=~"{metric}_(value|above|below|none|moved)",'
            f"resident={json.dumps(resident)}}}"
        )
        found: dict[int, Sample] = {}
        moved: set[int] = set()
        for row in await self._export(match, start_ms, end_ms - 1):
            field = row["metric"]["__name__"].rpartition("_")[2]
            for at, value in zip(row["timestamps"], row["values"], strict=True):
                if field == "moved":
                    moved.add(at)
                elif field == "value":
                    found[at] = (at, Decimal(str(value)), "")
                else:
                    found.setdefault(at, (at, None, _ABSENT[field]))
        return [found[at] for at in sorted(found) if at not in moved]

    async def _export(self, match: str, start_ms: int, end_ms: int) -> list[_Series]:
        query = urlencode(
            {"match[]": match, "start": start_ms / 1000, "end": end_ms / 1000}
        )
        return await asyncio.to_thread(self._get, f"{self._url}/api/v1/export?{query}")

    def _get(self, url: str) -> list[_Series]:
        try:
            answer = self._pool.request("GET", url, timeout=TIMEOUT_S, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise StorageError(
                f"series server: {type(error).__name__} on export."
            ) from error
        if answer.status != 200:  # noqa: PLR2004 - HTTP OK
            raise StorageError(f"series server: status {answer.status} on export.")
        if len(answer.data) > MAX_ANSWER_BYTES:
            raise StorageError("series server: answer too large on export.")
        return [json.loads(line) for line in answer.data.splitlines() if line]


class FluxReader:
    """InfluxDB 2: Flux through influxdb-client."""

    def __init__(self, client: InfluxDBClient, bucket: str) -> None:
        self._query = client.query_api()
        self._bucket = bucket

    async def markers(self, store: str, since_ms: int, until_ms: int) -> set[int]:
        """See ``Reader.markers``."""
        records = await self._records(
            since_ms,
            until_ms + 1,
            f'r._measurement == "{MARKER}" and r.store == {json.dumps(store)} '
            'and r._field == "seq"',
        )
        return {int(record["_value"]) for record in records}

    async def samples(
        self, resident: str, metric: str, start_ms: int, end_ms: int
    ) -> list[Sample]:
        """See ``Reader.samples``."""
        records = await self._records(
            start_ms,
            end_ms,
            f"r._measurement == {json.dumps(metric)} "
            f"and r.resident == {json.dumps(resident)}",
        )
        found: dict[int, Sample] = {}
        moved: set[int] = set()
        for record in records:
            at = int(record["_time"].timestamp() * 1000)
            match record["_field"]:
                case "moved":
                    moved.add(at)
                case "value":
                    found[at] = (at, Decimal(str(record["_value"])), "")
                case "absent":
                    found[at] = (at, None, record["_value"])
        return [found[at] for at in sorted(found) if at not in moved]

    async def _records(self, start_ms: int, end_ms: int, where: str) -> list[_Record]:
        flux = (
            f"from(bucket: {json.dumps(self._bucket)}) "
            f"|> range(start: {_instant(start_ms)}, stop: {_instant(end_ms)}) "
            f"|> filter(fn: (r) => {where})"
        )

        def run() -> list[_Record]:
            try:
                tables = self._query.query(flux)
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                raise StorageError(
                    f"series server: {type(error).__name__} on query."
                ) from error
            return [record.values for table in tables for record in table.records]

        return await asyncio.to_thread(run)


_ABSENT: Final = {"above": "above-range", "below": "below-range", "none": "unknown"}


def _instant(ms: int) -> str:
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
