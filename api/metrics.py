"""What the API counts, in a registry given by whoever runs it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.ports.clock import Clock

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class ApiMetrics:
    """Counters and gauges of one app; labels are bounded: route templates, codes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "vitalgate_api_requests",
            "Answered requests.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "vitalgate_api_request_seconds",
            "Time to the first byte of the answer.",
            ("route",),
            registry=registry,
        )
        self.faults = Counter(
            "vitalgate_api_faults",
            "Requests that ended in an error of ours.",
            ("error",),
            registry=registry,
        )
        self.streams = Gauge(
            "vitalgate_api_streams", "Open live streams.", registry=registry
        )
        self.cut = Counter(
            "vitalgate_api_streams_cut",
            "Live streams ended because the client was too slow.",
            registry=registry,
        )
        self.frames = Counter(
            "vitalgate_api_frames",
            "Frames encoded for live streams.",
            registry=registry,
        )


class CountRequests:
    """ASGI middleware: status and time to first byte by route template."""

    def __init__(self, app: Asgi, metrics: ApiMetrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, watching the start of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _template(scope)
                self._metrics.seconds.labels(route).observe(
                    self._clock.monotonic() - began
                )
                self._metrics.requests.labels(
                    scope["method"], route, str(message["status"])
                ).inc()
            await send(message)

        await self._app(scope, receive, watch)


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", "")
    return path if isinstance(path, str) and path else "unknown"
