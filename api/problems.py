"""RFC 9457 problem details for every error; no personal data in any of them.

``type`` is ``urn:vitalgate:problem:<name>``, ``title`` comes in the caller's language,
``detail`` names the field and the remedy. A conflict carries ``current``, the fresh
state; a validation problem carries ``errors`` with the place and the rule, never the
value that was sent.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import (
    AccessDeniedError,
    ConflictError,
    LinkError,
    NotFoundError,
    RateLimitedError,
    RequestError,
    SignInError,
    StorageError,
    VitalgateError,
)

MEDIA_TYPE: Final = "application/problem+json"
# Faults named in one answer; a body with more is wrong altogether.
MAX_FAULTS: Final = 20

# name: (status, English title, Chinese title)
PROBLEMS: Final[Mapping[str, tuple[int, str, str]]] = {
    "sign-in": (401, "Sign in first", "请先登录"),
    "access-denied": (403, "Not allowed", "没有权限"),
    "cross-site": (403, "Request from another site", "跨站请求被拒绝"),
    "not-found": (404, "Not found", "未找到"),
    "method": (405, "Method not allowed", "不支持的请求方法"),
    "conflict": (409, "The state has moved on", "状态已变化"),
    "too-large": (413, "The request is too large", "请求过大"),
    "validation": (422, "The request is not well formed", "请求内容有误"),
    "precondition": (428, "The version is missing", "缺少版本号"),
    "rate-limited": (429, "Too many tries", "尝试次数过多"),
    "internal": (500, "An error of ours", "系统内部错误"),
    "link": (503, "The station cannot be reached", "无法连接站点"),
    "storage": (503, "The store does not answer", "存储暂不可用"),
    "request": (400, "Bad request", "请求有误"),
}

_BY_ERROR: Final[tuple[tuple[type[VitalgateError], str], ...]] = (
    (RateLimitedError, "rate-limited"),
    (SignInError, "sign-in"),
    (AccessDeniedError, "access-denied"),
    (NotFoundError, "not-found"),
    (ConflictError, "conflict"),
    (RequestError, "validation"),
    (LinkError, "link"),
    (StorageError, "storage"),
)
_BY_STATUS: Final = {
    401: "sign-in",
    403: "access-denied",
    404: "not-found",
    405: "method",
    413: "too-large",
    422: "validation",
}


class Fault(BaseModel):
    """One fault of a request: where, which rule, and the rule in words."""

    place: str = Field(examples=["body.version"])
    rule: str = Field(examples=["int_type"])
    message: str = Field(examples=["Input should be a valid integer"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(examples=["urn:vitalgate:problem:conflict"])
    title: str = Field(examples=["The state has moved on"])
    status: int = Field(examples=[409])
    detail: str = Field(default="", examples=["version: the alert has changed."])
    errors: list[Fault] | None = None
    current: Any = Field(default=None, description="The fresh state, on a conflict.")


def problem_response(
    name: str,
    detail: str,
    headers: Headers,
    *,
    extra: dict[str, Any] | None = None,
    out: dict[str, str] | None = None,
) -> Response:
    """The answer for a problem, its title in the caller's language."""
    status, english, chinese = PROBLEMS[name]
    chosen = language(headers.get("accept-language", ""))
    body: dict[str, Any] = {
        "type": f"urn:vitalgate:problem:{name}",
        "title": chinese if chosen == "zh" else english,
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    sent = {"content-language": chosen, **(out or {})}
    if status == PROBLEMS["sign-in"][0]:
        sent["www-authenticate"] = "Bearer"
    return JSONResponse(body, status, headers=sent, media_type=MEDIA_TYPE)


def language(accepted: str) -> str:
    """``zh`` or ``en`` from an Accept-Language header; English when neither is named.

    The first one named counts: browsers send them in order of preference.
    """
    for part in accepted.split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.split("-")[0] in ("zh", "en"):
            return tag.split("-")[0]
    return "en"


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem."""
    app.add_exception_handler(VitalgateError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


async def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, VitalgateError):
        raise TypeError("not one of ours") from error
    name = next((n for kind, n in _BY_ERROR if isinstance(error, kind)), "request")
    extra: dict[str, Any] = {}
    out: dict[str, str] = {}
    if isinstance(error, ConflictError):
        current = error.current
        if isinstance(current, BaseModel):
            current = current.model_dump(mode="json")
        extra["current"] = current
    if isinstance(error, RateLimitedError):
        out["retry-after"] = str(error.retry_after_s)
    return problem_response(name, str(error), request.headers, extra=extra, out=out)


async def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError("not a validation error") from error
    faults = [
        Fault(
            place=".".join(str(part) for part in fault["loc"]),
            rule=fault["type"],
            message=fault["msg"],
        ).model_dump()
        for fault in error.errors()[:MAX_FAULTS]
    ]
    detail = f"{faults[0]['place']}: {faults[0]['message']}." if faults else ""
    return problem_response(
        "validation", detail, request.headers, extra={"errors": faults}
    )


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("not an HTTP error") from error
    name = _BY_STATUS.get(error.status_code, "request")
    out = {k.lower(): v for k, v in (error.headers or {}).items()}
    return problem_response(name, "", request.headers, out=out)
