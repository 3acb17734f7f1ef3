"""The station's own small API: works without the hub, on loopback by default.

    GET    /                               the operator's page
    GET    /station                        what the operator sees
    POST   /station/session                open a session (resident or card)
    DELETE /station/session                close it; ``abort`` makes it unclaimed
    POST   /station/devices/{id}/commands  an operator's explicit, audited act

Each operator has a token of their own, so that every act has a name to it.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from prometheus_client import CollectorRegistry, generate_latest

from api.app import document_of, problem_responses
from api.body_limit import LimitBodies
from api.console.station_page import install_station_page
from api.metrics import ApiMetrics, CountRequests
from api.problems import install
from api.routes.health import MetricsResponse, may_read_metrics
from api.schemas.render import observation_answer
from api.schemas.station_view import (
    ClosedAnswer,
    JournalAnswer,
    LiveValueAnswer,
    LocalReading,
    LocalSession,
    LocalSessionQuestion,
    SetAsideAnswer,
    StationViewAnswer,
    TakenAnswer,
)
from api.schemas.stations import CommandQuestion, DeviceStatusAnswer, HealthAnswer
from api.security import LastResort, SecurityHeaders
from api.station_desk import StationDesk
from gateway.errors import ConfigurationError, RequestError, SignInError
from gateway.model.session import IdentifiedBy
from gateway.ports.clock import Clock

# Below this a token could be guessed; ``openssl rand -hex 16`` makes 32 characters.
MIN_TOKEN_CHARACTERS: Final = 24

router = APIRouter(prefix="/station", tags=["station"])
health_router = APIRouter(tags=["health"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StationApiSettings:
    """Settings of a station's API.

    Attributes:
        tokens: each operator's token, by their account id.
        metrics_token: opens ``/metrics`` to others than loopback; empty: nobody else.
    """

    tokens: Mapping[str, str]
    metrics_token: str = ""


async def operator_of(request: Request) -> str:
    """The account id of the operator whose token this is.

    Raises:
        SignInError: no token, or nobody's.
    """
    settings = cast("StationApiSettings", request.app.state.settings)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    found = ""
    for operator, token in settings.tokens.items():
        # All are compared, so that timing does not tell which one came close.
        if hmac.compare_digest(given.strip().encode(), token.encode()):
            found = operator
    if scheme.lower() != "bearer" or not found:
        raise SignInError("sign-in: no operator's token.")
    return found


def _desk(request: Request) -> StationDesk:
    return cast("StationDesk", request.app.state.desk)


def _clock(request: Request) -> Clock:
    return cast("Clock", request.app.state.clock)


Operator = Annotated[str, Depends(operator_of)]
Desk = Annotated[StationDesk, Depends(_desk)]
ClockDep = Annotated[Clock, Depends(_clock)]


def create_station_app(
    desk: StationDesk,
    clock: Clock,
    settings: StationApiSettings,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """The HTTP API of one station.

    Raises:
        ConfigurationError: a token is too short to be a secret.
    """
    for operator, token in settings.tokens.items():
        if len(token) < MIN_TOKEN_CHARACTERS:
            raise ConfigurationError(
                f"api.tokens.{operator}: has fewer than {MIN_TOKEN_CHARACTERS} "
                "characters.",
                remedy="Make one with: openssl rand -hex 16",
            )
    metrics = ApiMetrics(registry or CollectorRegistry())
    app = FastAPI(
        title="vitalgate station",
        version="1",
        docs_url=None,
        redoc_url=None,
        responses=problem_responses(),
    )
    app.state.desk = desk
    app.state.clock = clock
    app.state.settings = settings
    app.state.metrics = metrics
    app.include_router(router)
    app.include_router(health_router)
    install(app)
    install_station_page(app)
    app.add_middleware(LimitBodies)
    app.add_middleware(LastResort, metrics=metrics)
    app.add_middleware(SecurityHeaders, https=False)
    app.add_middleware(CountRequests, metrics=metrics, clock=clock)
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]  # FastAPI's way
    return app


@router.get("", summary="What the operator sees")
async def view(_operator: Operator, desk: Desk, clock: ClockDep) -> StationViewAnswer:
    """Unsent depth and age, devices, session, conditions, readings, dead letters."""
    seen = await desk.snapshot()
    now = clock.now()
    oldest = seen.journal.oldest_at
    return StationViewAnswer(
        station=seen.station,
        now=now,
        connected=seen.connected,
        journal=JournalAnswer.model_validate(seen.journal),
        oldest_age_s=None
        if oldest is None
        else max(0.0, (now - oldest).total_seconds()),
        session=None
        if seen.session is None
        else LocalSession.model_validate(seen.session),
        devices=[DeviceStatusAnswer.model_validate(d) for d in seen.devices],
        conditions=list(seen.conditions),
        live=[LiveValueAnswer.model_validate(v) for v in seen.live],
        recent=[
            LocalReading(resident=o.subject, observation=observation_answer(o))
            for o in reversed(seen.recent)
        ],
        dead_letters=[SetAsideAnswer.of(letter) for letter in seen.dead_letters],
    )


@router.post("/session", summary="Open a session")
async def open_session(
    question: LocalSessionQuestion, operator: Operator, desk: Desk
) -> LocalSession:
    """Closes the one before; so does an unknown card, for somebody else is here."""
    if question.card is not None:
        opened = await desk.open_session_by_card(question.card, by=operator)
    else:
        if question.identified_by is IdentifiedBy.DEVICE_SLOT:
            raise RequestError("identified_by: only a device identifies by its slot.")
        opened = await desk.open_session(
            resident=question.resident or "",
            identified_by=question.identified_by,
            by=operator,
        )
    return LocalSession.model_validate(opened)


@router.delete("/session", summary="Close the session")
async def close_session(
    _operator: Operator, desk: Desk, *, abort: bool = False
) -> ClosedAnswer:
    """An aborted session's readings are unclaimed."""
    closed = await desk.close_session(abort=abort)
    return ClosedAnswer(
        session=None if closed is None else LocalSession.model_validate(closed)
    )


@router.post("/devices/{device}/commands", summary="Have a device do something")
async def command(
    device: Annotated[str, Path(max_length=100)],
    question: CommandQuestion,
    operator: Operator,
    desk: Desk,
) -> TakenAnswer:
    """409 with the reason when the device cannot."""
    await desk.command(device, question.name, by=operator)
    return TakenAnswer(device=device, name=question.name)


@health_router.get("/health/live", summary="The process answers")
async def live() -> HealthAnswer:
    """Always well when it is answered at all."""
    return HealthAnswer(ok=True, checks=[])


@health_router.get(
    "/metrics", response_class=MetricsResponse, summary="Prometheus metrics"
)
async def metrics(request: Request) -> MetricsResponse:
    """For callers on this machine, or with the metrics token."""
    settings = cast("StationApiSettings", request.app.state.settings)
    may_read_metrics(request, settings.metrics_token)
    counted = cast("ApiMetrics", request.app.state.metrics)
    return MetricsResponse(generate_latest(counted.registry))
