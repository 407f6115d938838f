"""The application: `healer.main:app` for a server, `create_app(settings)` for everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from healer import NOTICE, __version__
from healer.audit.journal import Journal, open_journal
from healer.auth.authenticator import open_authenticator
from healer.auth.rate_limit import RateLimiter
from healer.engines.base import Engine
from healer.engines.registry import threads_of
from healer.errors.base import HealerError
from healer.errors.slides import SlidesNotInstalled
from healer.sandbox.loader import InProcess, open_image_loader
from healer.screening.opening import EngineChoice, Opener, choose_engine, find_reference
from healer.screening.screener import Screener
from healer.server.documentation import documentation_router, install_openapi
from healer.server.middleware.access import Authentication, install_cors
from healer.server.middleware.instrumentation import Instrumentation
from healer.server.middleware.limits import Draining, RequestHeadLimit, SlowClientTimeout
from healer.server.middleware.responses import HeadMethod, SecurityHeaders, UnexpectedErrors
from healer.server.problems import install_problems
from healer.server.reviews import reviews_router
from healer.server.routes import router
from healer.server.service import Service
from healer.server.slides import slides_router
from healer.server.webpage import install_page
from healer.settings.loading import Settings, load_settings
from healer.telemetry.logs import configure, warn_of_unknown_variables
from healer.telemetry.metrics import Metrics, ServiceGauges
from healer.telemetry.observation import Observer
from healer.telemetry.tracing import Tracing, open_tracing

if TYPE_CHECKING:  # its libraries are an extra
    from healer.worklist.worklist import Worklist


def create_app(settings: Settings | None = None, *, engine: Engine | None = None) -> FastAPI:
    """The ASGI application. An `engine` given here is served in place of a chosen one."""
    settings = settings or load_settings()
    configure(settings)
    warn_of_unknown_variables(settings)
    app = FastAPI(
        title="Healer",
        version=__version__,
        description=NOTICE,
        license_info={"name": "Apache-2.0"},
        docs_url=None,  # both load scripts from another origin; ours is server/documentation.py
        redoc_url=None,
        lifespan=_lifespan,
        # FastAPI's own would export paths and exceptions, which can hold names: ours is middleware.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.metrics = Metrics(partial(find_reference, settings))
    app.state.tracing = open_tracing()
    app.state.service = _service(settings, engine, app.state.metrics)
    app.state.image_loader = (
        open_image_loader(settings) if engine is None else InProcess(settings.max_pixels)
    )
    app.state.journal = open_journal(settings)
    app.state.worklist = _worklist(app, engine)
    app.state.started = time.monotonic()
    app.state.authenticator = open_authenticator(settings)
    _follow(app)
    install_problems(app)
    _add_middleware(app, settings)
    app.include_router(router)
    app.include_router(reviews_router)
    app.include_router(slides_router)
    app.include_router(documentation_router)
    install_page(app)
    install_openapi(app)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(HeadMethod)
    app.add_middleware(Draining, service=app.state.service)
    rates = RateLimiter(settings.rate_limit) if settings.rate_limit else None
    app.add_middleware(Authentication, authenticator=app.state.authenticator, rates=rates)
    app.add_middleware(SlowClientTimeout, seconds=settings.client_timeout)
    hosts = settings.trusted_hosts.lower().split(",") if settings.trusted_hosts else ()
    app.add_middleware(RequestHeadLimit, hosts=hosts)
    install_cors(app, settings)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Instrumentation, metrics=app.state.metrics, tracing=app.state.tracing)


def _follow(app: FastAPI) -> None:
    """The gauges that are read at each scrape."""
    service: Service = app.state.service
    journal: Journal = app.state.journal
    metrics: Metrics = app.state.metrics
    metrics.watch_service(
        ServiceGauges(
            ready=lambda: service.status.reason is None,
            in_flight=lambda: service.in_flight,
            impaired=lambda: bool(journal.warnings()),
            screener=lambda: service.status.screener,
            places=app.state.settings.queue,
        )
    )


def _worklist(app: FastAPI, engine: Engine | None) -> Worklist | None:
    """Its libraries are an extra, and so it is imported only where there are slides to read."""
    settings: Settings = app.state.settings
    service: Service = app.state.service
    if settings.slides is None:
        return None
    try:
        opening = import_module("healer.worklist.opening")
    except ModuleNotFoundError as missing:
        raise SlidesNotInstalled(missing.name or str(missing)) from None
    opened: Worklist = opening.open_worklist(
        settings,
        service,
        app.state.journal,
        app.state.metrics.registry,
        reads=engine is not None or service.choice.engine == "builtin",
    )
    return opened


def _service(settings: Settings, engine: Engine | None, observer: Observer) -> Service:
    if engine is not None:
        choice = EngineChoice(engine.info.engine, "it was passed to create_app")
        return Service(choice, lambda: Screener(engine), settings, observer)
    choice = choose_engine(settings)
    return Service(choice, Opener(choice, shared(settings)), settings, observer)


def shared(settings: Settings) -> Settings:
    """Each replica gets its share of the cores, unless HEALER_THREADS says otherwise."""
    if settings.replicas == 1 or settings.threads:
        return settings
    return settings.model_copy(update={"threads": threads_of(settings)})


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What was started is stopped, last first, also where another part fails to start or stop: an
    answer counted as missing in the audit log is lost unless the journal is closed."""
    service: Service = app.state.service
    journal: Journal = app.state.journal
    tracing: Tracing | None = app.state.tracing
    async with AsyncExitStack() as started:
        if tracing is not None:
            started.push_async_callback(asyncio.to_thread, tracing.close)
        started.push_async_callback(asyncio.to_thread, journal.close)
        await asyncio.to_thread(journal.check)
        started.push_async_callback(app.state.image_loader.stop)
        await app.state.image_loader.start()
        await service.start()
        started.push_async_callback(service.stop)
        if (worklist := app.state.worklist) is not None:
            await asyncio.to_thread(worklist.start)
            started.push_async_callback(asyncio.to_thread, worklist.stop)
        yield


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    """Build `app` only when a server asks for it, so that importing this reads no environment."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except HealerError as error:
        raise SystemExit(f"Healer cannot start: {error}") from None
