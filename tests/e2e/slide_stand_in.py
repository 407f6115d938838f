"""A folder of slides that a test decides, of any size, behind the API that the page uses."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from healer import NOTICE
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine

STATES = ("unread", "queued", "reading", "read", "stale", "failed", "cancelled")
RISK = {"yes": 0, "indeterminate": 1, None: 2, "no": 3}
NO_RESOLUTION = {
    "type": "about:blank",
    "title": "The slide does not state its resolution",
    "detail": "Nothing in the slide says how many micrometres a pixel has. State it.",
    "status": 422,
    "code": "no_resolution",
    "request_id": "",
    "retryable": False,
}

HIGH_GRADE = {
    "question": "dysplasia-or-cancer-1",
    "verdict": "yes",
    "probability": 0.83,
    "calibrated": False,
    "mark": "high-grade",
    "sentence": "Dysplasia is likely.",
}


def slide(number: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the answer
    identity = f"{number:032x}"
    return {
        "id": identity,
        "name": f"case-{number // 3:04}/slide-{number:04}.svs",
        "case": f"case-{number // 3:04}",
        "state": "unread",
        "verdict": None,
        "probability": None,
        "calibrated": False,
        "second_answer": None,
        "positive_mm2": None,
        "read_share": None,
        "tissue_mm2": None,
        "regions": None,
        "problem": None,
        "progress": None,
        "updated": None,
        "stale_reason": None,
        "thumbnail": f"/slides/{identity}/thumbnail.jpeg",
        "review": None,
        "mpp": None,
        **fields,
    }


def answered(number: int, verdict: str, probability: float, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return slide(
        number,
        state="read",
        verdict=verdict,
        probability=probability,
        positive_mm2=2.5 if verdict == "yes" else 0.0,
        read_share=0.981,
        tissue_mm2=112.0,
        regions=3 if verdict == "yes" else 0,
        updated="2026-01-31T16:05:07Z",
        mpp={"x": 0.25, "y": 0.25, "source": "openslide"},
        **fields,
    )


@dataclass
class SlideStandIn:
    slides: list[dict[str, Any]]
    paused: bool = False
    readings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    #: Refuses the next words with these, in order.
    refusals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    list_requests: int = 0

    def of(self, request: Request) -> dict[str, Any]:
        identity = request.path_params["id"]
        return next(each for each in self.slides if each["id"] == identity)

    async def list(self, request: Request) -> Response:
        self.list_requests += 1
        query = request.query_params
        page, per_page = int(query.get("page", 1)), int(query.get("per_page", 50))
        fitting = [each for each in self.slides if self._fits(each, query)]
        if query.get("sort", "risk") == "risk":
            fitting.sort(key=lambda each: (RISK[each["verdict"]], -(each["probability"] or 0)))
        shown = fitting[(page - 1) * per_page : page * per_page]
        counts = Counter(each["state"] for each in self.slides)
        names = dict.fromkeys(each["case"] for each in shown if each["case"])
        return JSONResponse(
            {
                "slides": shown,
                "total": len(fitting),
                "page": page,
                "per_page": per_page,
                "counts": {state: counts[state] for state in STATES},
                "queue": {
                    "paused": self.paused,
                    "waiting": counts["queued"] + counts["reading"],
                    "seconds_left": 95.0 if counts["queued"] else None,
                },
                "cases": [self._case(name) for name in names],
                "notice": NOTICE,
            }
        )

    def _fits(self, each: dict[str, Any], query: Any) -> bool:  # noqa: ANN401
        review = each["review"] or {"agreement": "none"}
        return (
            query.get("state") in (None, each["state"])
            and query.get("verdict") in (None, each["verdict"])
            and query.get("case") in (None, each["case"])
            and query.get("review") in (None, review["agreement"])
        )

    def _case(self, name: str) -> dict[str, Any]:
        of_case = [each for each in self.slides if each["case"] == name]
        verdicts = {each["verdict"] for each in of_case}
        words = [each["review"] for each in of_case if each["review"]]
        return {
            "case": name,
            "slides": len(of_case),
            "read": sum(each["state"] == "read" for each in of_case),
            "worst_verdict": min(verdicts - {None}, key=lambda each: RISK[each], default=None),
            "disagreements": sum(word["agreement"] == "disagree" for word in words),
        }

    async def detail(self, request: Request) -> Response:
        found = self.of(request)
        reviews = [each for each in self.reviews if each["slide"] == found["id"]]
        return JSONResponse(
            {**found, "size": [40_000, 30_000], "levels": [], "answer": None, "reviews": reviews}
        )

    async def start(self, request: Request) -> Response:
        found, body = self.of(request), await request.json()
        self.readings.append((found["id"], body))
        found |= {"state": "queued", "problem": None}
        return JSONResponse(found, 202)

    async def cancel(self, request: Request) -> Response:
        found = self.of(request)
        found |= {"state": "cancelled", "progress": None}
        return JSONResponse(found)

    async def all(self, request: Request) -> Response:
        if request.method == "PATCH":
            self.paused = (await request.json())["paused"]
            return JSONResponse({"paused": self.paused})
        waiting = request.method == "DELETE"
        states = ("queued", "reading") if waiting else (await request.json())["states"]
        changed = [each for each in self.slides if each["state"] in states]
        for each in changed:
            each["state"] = "cancelled" if waiting else "queued"
        return JSONResponse({"queued": len(changed)}, 202)

    async def review(self, request: Request) -> Response:
        if self.refusals:
            status, body = self.refusals.pop(0)
            return JSONResponse(body, status)
        word = {**await request.json(), "at": "2026-02-01T09:30:00Z", "by": None}
        self.reviews.append(word)
        for each in self.slides:
            if each["id"] == word["slide"] and word["region"] is None:
                each["review"] = {key: word[key] for key in ("agreement", "diagnosis", "at")}
        return JSONResponse({"record": "0"}, 201)

    async def thumbnail(self, _: Request) -> Response:
        stream = io.BytesIO()
        Image.new("RGB", (64, 48), (232, 196, 220)).save(stream, "JPEG")
        return Response(stream.getvalue(), media_type="image/jpeg")

    def app(self) -> Starlette:
        real = create_app(Settings(_env_file=None), engine=FakeEngine())
        routes = [
            Route("/slides", self.list),
            Route("/slides/reading", self.all, methods=["POST", "PATCH", "DELETE"]),
            Route("/slides/{id}", self.detail),
            Route("/slides/{id}/reading", self.start, methods=["POST"]),
            Route("/slides/{id}/reading", self.cancel, methods=["DELETE"]),
            Route("/slides/{id}/thumbnail.jpeg", self.thumbnail),
            Route("/reviews", self.review, methods=["POST"]),
            Mount("/", real),
        ]

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with real.router.lifespan_context(real):
                yield

        return Starlette(routes=routes, lifespan=lifespan)


def mixed() -> SlideStandIn:
    """A slide of each state."""
    progress = {"done": 120, "total": 400, "seconds_left": 65.0, "tiles_per_second": 70.0}
    return SlideStandIn(
        [
            answered(0, "yes", 0.97),
            answered(1, "indeterminate", 0.41, second_answer=HIGH_GRADE),
            answered(2, "no", 0.02),
            slide(3, state="reading", progress=progress),
            slide(4, state="queued"),
            slide(5, state="failed", problem=NO_RESOLUTION),
            answered(6, "yes", 0.88)
            | {"state": "stale", "stale_reason": "Another calibration is served now."},
            slide(7, state="cancelled"),
            slide(8, name=None, case=None),
        ]
    )
