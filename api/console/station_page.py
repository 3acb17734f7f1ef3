"""The page of the station's own app: it works while the hub cannot be reached.

The page itself is open to whoever reaches the station's address; it holds nothing. What
it shows comes from ``GET /station``, which takes an operator's token.
"""

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from api.console.rendering import mount_files, page

router = APIRouter(include_in_schema=False)


def install_station_page(app: FastAPI) -> None:
    """Add the page and its files."""
    app.include_router(router)
    mount_files(app)


@router.get("/")
async def station(request: Request) -> Response:
    """The operator's page at the station."""
    return page(request, "station.html", None, live=True)
