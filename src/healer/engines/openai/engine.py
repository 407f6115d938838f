"""A model behind an OpenAI-compatible server, as an engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from healer.engines.base import (
    Answer,
    EngineInfo,
    Evidence,
    OnPictures,
    Question,
    ignore_pictures,
)
from healer.engines.openai import answers
from healer.engines.openai.answers import check_opening
from healer.engines.openai.client import Client, RetryPolicy
from healer.engines.openai.errors import images_allowed
from healer.engines.openai.probe import (
    THINKING_NOT_SUPPRESSED,
    THINKING_SUPPRESSED,
    changed,
    probe_capabilities,
)
from healer.engines.openai.prompt import (
    AS_IT_IS,
    UNCHANGED,
    AnswerForcing,
    explaining_body,
    many_pictures_body,
    png,
    prompt_id,
    scoring_body,
)
from healer.engines.vlm.prompt import opening
from healer.engines.vlm.sentence import one_sentence
from healer.engines.vlm.thinking import without_thoughts
from healer.errors.base import HealerError, InvalidSettings
from healer.errors.engine import (
    ModelNotReady,
    UpstreamChanged,
    UpstreamError,
    UpstreamUnsuited,
)
from healer.errors.slides import TooManyPictures
from healer.images.tile import Tile

if TYPE_CHECKING:
    from pydantic import SecretStr

    from healer.engines.openai.probe import Capabilities
    from healer.settings.loading import Settings

SIDE_BY_SIDE = 8  # questions of one batch; the server puts them together
RETRIES = RetryPolicy()
MODEL_LIST_SECONDS = 1.0  # a server to have the model that its list was seen to hold
AS_SERVED = "as-served"  # the server does not say; where it does, its revision holds it
NOT_FORCED = (
    "this server cannot be made to continue a given answer: explanations are asked for, and "
    "left out where they begin by contradicting it"
)


@dataclass(frozen=True, slots=True)
class ImageState:
    """The image again, for the explanation. It is never shown."""

    image: str = field(repr=False)


class OpenAIEngine:
    """For any number of threads at once."""

    def __init__(self, server: Client, known: Capabilities, question: Question) -> None:
        self.info = info_of(known, question)
        self._known, self._question = known, question
        self._server: Client | None = server
        self._checked_at = time.monotonic()

    @classmethod
    def load(
        cls,
        url: str | None,
        question: Question,
        *,
        key: SecretStr | None = None,
        model: str | None = None,
        retries: RetryPolicy = RETRIES,
    ) -> OpenAIEngine:
        """Blocking: the server is probed with a few requests. Values are those of Settings.

        Raises InvalidSettings or UpstreamError.
        """
        if url is None:
            raise InvalidSettings("HEALER_ENGINE_URL", "must be set for HEALER_ENGINE=openai")
        server = Client(url, key, retries)
        try:
            return cls(server, probe_capabilities(server, model, question), question)
        except BaseException:
            server.close()
            raise

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        """Side by side. Raises UpstreamError."""
        if len(tiles) <= 1:
            seen = [self._score_tile(tile) for tile in tiles]
        else:
            with ThreadPoolExecutor(min(len(tiles), SIDE_BY_SIDE), "openai") as pool:
                seen = list(pool.map(self._score_tile, tiles))
        self._check_unchanged()
        return seen

    def _score_tile(self, tile: Tile) -> Evidence:
        server, known = self._ready(), self._known
        image = png(tile)
        body = scoring_body(self._question, image, known.likeliest, known.direct)
        reply = server.ask(body | {"model": known.model})
        read = answers.read_answer(server.url, reply, known.likeliest)
        if reply.system_fingerprint != known.fingerprint:
            raise UpstreamChanged(server.url, "its fingerprint changed")
        return Evidence(read.margin, read.mass, bounds=read.bounds, state=ImageState(image))

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        """The server reads the image again. Closing the iterator stops it. Raises UpstreamError."""
        if not isinstance(evidence.state, ImageState):
            raise TypeError("the evidence was not scored by this engine")
        return self._written(evidence.state.image, answer)

    def _written(self, image: str, answer: Answer) -> Iterator[str]:
        forcing, start = self._known.forcing, opening(self._question, answer)
        body = explaining_body(forcing, self._question, image, answer, start)
        body |= {"model": self._known.model, **self._known.direct.fields}
        with closing(self._ready().stream(body)) as pieces:
            start, rest = check_opening(forcing, answer, start, without_thoughts(pieces))
            yield from one_sentence(start, rest)

    def write(
        self,
        prompt: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,  # noqa: ARG002 - its server does not say
    ) -> Iterator[str]:
        """Raises TooManyPictures where the server says that they are, UpstreamError."""
        shown, model, fits = len(pictures), self._known.model, self._known.pictures_that_fit
        if fits is not None and fits < shown:
            reason = "its server's list says how many tokens it reads"
            raise TooManyPictures(model, shown, fits, reason)
        images = list(map(png, pictures))
        body = many_pictures_body(prompt, images, most_tokens, self._known.direct)
        body |= {"model": model}
        try:
            with closing(self._ready().stream(body)) as pieces:
                yield from without_thoughts(pieces)
        except UpstreamUnsuited as error:
            most = images_allowed(error.reason, shown)
            if most is None:
                raise
            raise TooManyPictures(model, shown, most, error.reason) from None

    def _check_unchanged(self) -> None:
        """Raises UpstreamChanged where what has just answered is not the model that was probed."""

        if time.monotonic() - self._checked_at < MODEL_LIST_SECONDS:
            return
        server = self._ready()
        try:
            why = changed(server, self._known)
        except UpstreamError:  # its list alone does not answer
            return
        if why:
            raise UpstreamChanged(server.url, why)
        self._checked_at = time.monotonic()

    def trouble(self) -> HealerError | None:
        """Why the server could not answer just now; None where it could. Blocking, briefly."""

        try:
            server = self._ready()
            server.check()
            why = changed(server, self._known)
        except (ModelNotReady, UpstreamError) as error:
            return error
        return UpstreamChanged(server.url, why) if why else None

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None

    def _ready(self) -> Client:
        if self._server is None:
            raise ModelNotReady("the engine was closed")
        return self._server


def open_engine(settings: Settings, question: Question) -> OpenAIEngine:
    return OpenAIEngine.load(
        str(settings.engine_url) if settings.engine_url else None,
        question,
        key=settings.engine_key,
        model=settings.engine_model,
        retries=RetryPolicy(timeout=settings.engine_timeout),
    )


def info_of(known: Capabilities, question: Question) -> EngineInfo:
    return EngineInfo(
        engine="openai",
        model_id=known.model,
        revision=known.revision,
        device="remote",
        dtype=AS_SERVED,
        quantization=AS_SERVED,
        prompt_id=prompt_id(question, known.direct),
        preprocessing_id=UNCHANGED,
        warnings=tuple(warnings_of(known)),
    )


def warnings_of(known: Capabilities) -> Iterator[str]:
    if known.thinks:
        yield THINKING_NOT_SUPPRESSED if known.direct == AS_IT_IS else THINKING_SUPPRESSED
    if known.forcing is AnswerForcing.ASKED:
        yield NOT_FORCED
