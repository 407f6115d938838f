"""What keeps the service from showing a slide, or from reading it."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError, RequestError


@dataclass(eq=False)
class SlideRequestError(RequestError):
    code = "slide_request"
    title = "The request for slides cannot be answered"
    message = "The request for slides cannot be answered."


@dataclass(eq=False)
class SlidesOff(SlideRequestError):
    code = "slides_off"
    title = "No slides are offered here"
    message = (
        "No slides are offered here. The operator can set HEALER_SLIDES to a folder of slides; "
        "`healer slide` reads slides on the command line."
    )


@dataclass(eq=False)
class SlideUnknown(SlideRequestError):
    code = "slide_unknown"
    title = "There is no such slide"
    message = (
        "No slide has this id: it was moved, renamed or taken away. List the slides again with "
        "GET /slides."
    )


@dataclass(eq=False)
class SlideBeingRead(SlideRequestError):
    code = "slide_being_read"
    title = "The slide is being read"
    message = (
        "The slide is being read already, or waits for it. Follow it with its /events, or cancel "
        "it by DELETE on its /reading."
    )


@dataclass(eq=False)
class SlideNotBeingRead(SlideRequestError):
    code = "slide_not_being_read"
    title = "The slide is not being read"
    message = "The slide is not being read and does not wait for it, so there is nothing to cancel."


@dataclass(eq=False)
class SlideNotRead(SlideRequestError):
    code = "slide_not_read"
    title = "The slide is not read yet"
    message = "The slide is not read yet. Start by POST on its /reading."


@dataclass(eq=False)
class NoTileHere(SlideRequestError):
    code = "no_tile_here"
    title = "No tile was read here"
    message = "No tile was read at this place: it shows glass, or was not read yet."


@dataclass(eq=False)
class NoPictureHere(SlideRequestError):
    code = "no_picture_here"
    title = "The pyramid has no such picture"
    message = "The pyramid has no such level, column or row. Its .dzi says which it has."


@dataclass(eq=False)
class SlideRequestUnreadable(SlideRequestError):
    reason: str
    code = "slide_request_unreadable"
    title = "The request cannot be read"
    message = "The request cannot be read ({reason}). docs/openapi.json says what it may hold."


@dataclass(eq=False)
class ResultsUnusable(HealerError):
    reason: str
    code = "results_unusable"
    title = "The folder of results cannot be used"
    message = (
        "The folder of results (HEALER_RESULTS) cannot be used: {reason}. Give Healer a folder "
        "that it may write, with room on its disk."
    )
