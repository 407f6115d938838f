"""Errors as RFC 9457 problem documents: one status per branch of the tree, never a stack trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route

from healer import errors
from healer.problem import Problem, retry_after, status_of
from healer.server.scope import request_id_of
from healer.telemetry.observation import current_trace

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


def install_problems(app: FastAPI) -> None:
    app.add_exception_handler(errors.HealerError, _ours)
    app.add_exception_handler(HTTPException, _routing)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, unforeseen)


def documented(*kinds: type[errors.HealerError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for errors a route can answer with, an example for each code."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status = status_of(kind)
        response = responses.setdefault(
            int(status),
            {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}},
        )
        examples = response["content"][MEDIA_TYPE].setdefault("examples", {})
        later = "sent again later, it may be answered" if kind.retryable else "not to be sent again"
        examples[kind.code] = {"summary": kind.title, "description": f"As it is, {later}."}
        if kind.retryable:
            response["headers"] = _RETRY_AFTER
    return responses


_RETRY_AFTER = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Seconds; there only where `retryable` is true.",
    }
}
_SCHEMA = {"$ref": "#/components/schemas/Problem"}


async def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.HealerError):
        raise error
    return refusal(request, error)


def refusal(request: Request, error: errors.HealerError) -> Response:
    if isinstance(error, errors.ImageNotAssessable):
        current_trace().refused = [str(reason["code"]) for reason in error.reasons]
    problem = Problem.of(error, request_id_of(request))
    return _document(problem, retry_headers(error) | _hints(error))


def retry_headers(error: errors.HealerError) -> dict[str, str]:
    seconds = retry_after(error)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _hints(error: errors.HealerError) -> dict[str, str]:
    """Headers that RFC 9110 asks for beside a status."""
    if isinstance(error, errors.MethodNotAllowed):
        return {"Allow": error.allowed}
    return {"Accept-Encoding": "identity"} if isinstance(error, errors.BodyEncoded) else {}


async def _invalid(request: Request, error: Exception) -> Response:
    """Of a part of the address; what was sent is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    return refusal(request, errors.SlideRequestUnreadable(f"{first['loc'][-1]}: {first['msg']}"))


async def _routing(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return refusal(request, errors.AddressUnknown())
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return refusal(request, errors.MethodNotAllowed(_allowed(request)))
    code = status.phrase.lower().replace(" ", "_")
    return _document(_plain(request, status, code, str(error.detail)), error.headers)


def _allowed(request: Request) -> str:
    """Of every route with the path that matched first, with HEAD beside GET:
    middleware/responses.py answers it."""
    routes = [
        route
        for route in _single_routes(request.app.routes)
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    methods = {
        method for route in routes if route.path == routes[0].path for method in route.methods or ()
    }
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _single_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """FastAPI keeps an included router as one route of the application."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _single_routes(included.routes)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is left to read it


async def unforeseen(request: Request, error: Exception) -> Response:
    log.error("unforeseen error", exc_info=error)
    if isinstance(error, MemoryError):
        return refusal(request, errors.OutOfMemory())
    detail = "Healer failed in a way it did not foresee. The log holds the cause under request_id."
    return _document(_plain(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail))


def _plain(request: Request, status: HTTPStatus, code: str, detail: str) -> Problem:
    return Problem(
        type=f"urn:healer:problem:{code}",
        title=status.phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id_of(request),
    )


def _document(problem: Problem, headers: Any = None) -> Response:  # noqa: ANN401 - Starlette's own
    current_trace().failed(problem.code, problem.status)
    return JSONResponse(
        problem.model_dump(), problem.status, headers=headers, media_type=MEDIA_TYPE
    )
