"""What is counted about MQTT, in a registry given by argument."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class MqttMetrics:
    """Families of all buses of a process; ``bus`` gives one bus its own series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._published = Counter(
            "vitalgate_mqtt_published_total",
            "Messages that the broker has taken over",
            ["bus"],
            registry=registry,
        )
        self._received = Counter(
            "vitalgate_mqtt_received_total",
            "Messages received",
            ["bus"],
            registry=registry,
        )
        self._refused = Counter(
            "vitalgate_mqtt_connect_failures_total",
            "Attempts to connect that failed",
            ["bus"],
            registry=registry,
        )
        self._lost = Counter(
            "vitalgate_mqtt_connections_lost_total",
            "Connections that broke",
            ["bus"],
            registry=registry,
        )
        self._connected = Gauge(
            "vitalgate_mqtt_connected",
            "1 while a broker has accepted us",
            ["bus"],
            registry=registry,
        )
        self.broker_restarts = Counter(
            "vitalgate_broker_restarts_total",
            "Times that the embedded broker was started again",
            registry=registry,
        )

    def bus(self, name: str) -> "BusMetrics":
        """The series of the bus of that name."""
        return BusMetrics(
            published=self._published.labels(name),
            received=self._received.labels(name),
            refused=self._refused.labels(name),
            lost=self._lost.labels(name),
            connected=self._connected.labels(name),
        )


class BusMetrics:
    """The series of one bus."""

    def __init__(
        self,
        *,
        published: Counter,
        received: Counter,
        refused: Counter,
        lost: Counter,
        connected: Gauge,
    ) -> None:
        self.published = published
        self.received = received
        self.refused = refused
        self.lost = lost
        self.connected = connected
