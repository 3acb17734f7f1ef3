"""Liveness, readiness and metrics, outside ``/api/v1``."""

import hmac
import ipaddress

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.schemas.stations import CheckAnswer, HealthAnswer
from api.state import MetricsDep, ServicesDep, SettingsDep
from gateway.errors import NotFoundError

router = APIRouter(tags=["health"])


class MetricsResponse(Response):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE_LATEST


@router.get("/health/live", summary="The process answers")
async def live() -> HealthAnswer:
    """Always well when it is answered at all."""
    return HealthAnswer(ok=True, checks=[])


@router.get(
    "/health/ready",
    summary="The process can do its work",
    responses={503: {"model": HealthAnswer, "description": "It cannot."}},
)
async def ready(services: ServicesDep, response: Response) -> HealthAnswer:
    """Database, broker, and how far each consumer lies behind the log."""
    checks = await services.health.checks()
    ok = all(check.ok for check in checks)
    if not ok:
        response.status_code = 503
    return HealthAnswer(ok=ok, checks=[CheckAnswer.model_validate(c) for c in checks])


@router.get("/metrics", response_class=MetricsResponse, summary="Prometheus metrics")
async def metrics(
    request: Request, settings: SettingsDep, counted: MetricsDep
) -> MetricsResponse:
    """For callers on this machine, or with the metrics token."""
    may_read_metrics(request, settings.metrics_token)
    return MetricsResponse(generate_latest(counted.registry))


def may_read_metrics(request: Request, token: str) -> None:
    """Refuse callers from elsewhere without the token.

    Raises:
        NotFoundError: they need not know that it exists.
    """
    if not (_from_here(request) or _has_token(request, token)):
        raise NotFoundError("metrics: not found.")


def _from_here(request: Request) -> bool:
    """Whether the caller is on this machine, and not a proxy for somebody else."""
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback  # type: ignore[union-attr]  # caught
    except (AttributeError, ValueError):
        return False


def _has_token(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and fits
