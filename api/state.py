"""What an app was made with, as dependencies of its routes."""

from typing import Annotated, cast

from fastapi import Depends, Request

from api.live import LiveStreams
from api.metrics import ApiMetrics
from api.settings import ApiSettings
from gateway.services.bundle import Services


def services_of(request: Request) -> Services:
    """The services this app was made with."""
    return cast("Services", request.app.state.services)


def settings_of(request: Request) -> ApiSettings:
    """The settings this app was made with."""
    return cast("ApiSettings", request.app.state.settings)


def streams_of(request: Request) -> LiveStreams:
    """This app's open live streams."""
    return cast("LiveStreams", request.app.state.streams)


def metrics_of(request: Request) -> ApiMetrics:
    """What this app counts."""
    return cast("ApiMetrics", request.app.state.metrics)


ServicesDep = Annotated[Services, Depends(services_of)]
SettingsDep = Annotated[ApiSettings, Depends(settings_of)]
StreamsDep = Annotated[LiveStreams, Depends(streams_of)]
MetricsDep = Annotated[ApiMetrics, Depends(metrics_of)]
