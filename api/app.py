"""Makes the app: routers, middleware, problems, OpenAPI. No module state."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry

from api.body_limit import LimitBodies
from api.console.pages import install_console
from api.live import LiveStreams
from api.metrics import ApiMetrics, CountRequests
from api.problems import MEDIA_TYPE, PROBLEMS, Problem, install
from api.routes import (
    account,
    alerts,
    enrolment,
    health,
    oversight,
    readings,
    residents,
    stations,
    stream,
    waveforms,
)
from api.schemas.alerts import BeatFrame, ChangeFrame, SnapshotFrame
from api.security import LastResort, SecurityHeaders
from api.settings import ApiSettings
from gateway.services.bundle import Services

PREFIX: Final = "/api/v1"

_PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}
_STATUSES: Final = (401, 403, 404, 409, 422, 429, 503)


def create_app(
    services: Services,
    settings: ApiSettings,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """The HTTP API of one hub. ``services.live.run()`` must run beside it.

    ``app.state.streams`` holds the live streams, for ``api.server`` to close.
    """
    metrics = ApiMetrics(registry or CollectorRegistry())
    app = FastAPI(
        title="vitalgate",
        version="1",
        summary="Readings, alerts and stations of one hub",
        description=(
            "Sign in with `POST /api/v1/login` (cookie) or send "
            "`Authorization: Bearer`. Errors are RFC 9457 problem details. "
            "All persons in examples are invented."
        ),
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        responses=problem_responses(),
    )
    app.state.services = services
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.streams = LiveStreams(services.live, services.clock, settings, metrics)
    services.enrolment.on_change(app.state.streams.recheck_all)
    v1 = APIRouter(prefix=PREFIX)
    for part in (
        account, residents, waveforms, readings, alerts, stations, enrolment,
        oversight, stream,
    ):  # fmt: skip
        v1.include_router(part.router)
    app.include_router(v1)
    app.include_router(health.router)
    install(app)
    install_console(app)
    # The last one added is the outermost.
    app.add_middleware(LimitBodies, large=(f"{PREFIX}/roster",))
    app.add_middleware(LastResort, metrics=metrics)
    app.add_middleware(
        SecurityHeaders,
        https=settings.secure_cookies,
    )
    app.add_middleware(CountRequests, metrics=metrics, clock=services.clock)
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]  # FastAPI's way
    return app


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """Problems that any route may answer with, for the OpenAPI document."""
    titles = {status: english for status, english, _ in PROBLEMS.values()}
    return {
        status: {
            "description": titles[status],
            "content": {MEDIA_TYPE: {"schema": _PROBLEM_REF}},
        }
        for status in _STATUSES
    }


def document_of(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the models that only streams and errors use."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (Problem, SnapshotFrame, ChangeFrame, BeatFrame):
            schema = model.model_json_schema(
                ref_template="#/components/schemas/{model}", mode="serialization"
            )
            schemas.update(schema.pop("$defs", {}))
            schemas[model.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
