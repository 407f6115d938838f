import { PATHS } from "../../api/paths";
import { listPath, SLIDE_PATHS } from "./paths";
import { requestJson, type Result } from "./request";
import type {
  Agreement,
  Diagnosis,
  Region,
  Slide,
  SlideDetail,
  SlideFilter,
  SlideList,
  SlideReview,
  SlideState,
  SlideTile,
  UnreadTissue,
} from "./types";

export function fetchSlides(
  filter: SlideFilter,
  page: number,
  perPage: number,
  signal?: AbortSignal,
): Promise<Result<SlideList>> {
  return requestJson(listPath(filter, page, perPage), signal ? { signal } : {});
}

export function fetchSlide(id: string): Promise<Result<SlideDetail>> {
  return requestJson(SLIDE_PATHS.slide(id));
}

/** `mpp` in micrometres per pixel, where the slide does not state its scale. */
export function startReading(id: string, mpp?: number): Promise<Result<Slide>> {
  const body = mpp === undefined ? {} : { mpp };
  return requestJson(SLIDE_PATHS.reading(id), { method: "POST", body });
}

/** What was read stays: a new start goes on from there. */
export function cancelReading(id: string): Promise<Result<Slide>> {
  return requestJson(SLIDE_PATHS.reading(id), { method: "DELETE" });
}

/** With `mpp`, those of them alone that state no usable scale. */
export function readAll(
  states: readonly SlideState[],
  mpp?: number,
): Promise<Result<{ queued: number }>> {
  const body = { states, ...(mpp !== undefined && { mpp }) };
  return requestJson(SLIDE_PATHS.readings, { method: "POST", body });
}

export function setPaused(paused: boolean): Promise<Result<{ paused: boolean }>> {
  return requestJson(SLIDE_PATHS.readings, { method: "PATCH", body: { paused } });
}

/** Those that wait, and the one that is being read. */
export function cancelAllReadings(): Promise<Result<unknown>> {
  return requestJson(SLIDE_PATHS.readings, { method: "DELETE" });
}

export function fetchRegions(id: string): Promise<Result<{ regions: Region[] }>> {
  return requestJson(SLIDE_PATHS.regions(id));
}

/** What was read at a place in pixels of level 0; refused with `no_tile_here` where nothing was. */
export function fetchTile(id: string, x: number, y: number): Promise<Result<SlideTile>> {
  return requestJson(SLIDE_PATHS.tile(id, x, y));
}

export function fetchUnread(id: string): Promise<Result<UnreadTissue>> {
  return requestJson(SLIDE_PATHS.unread(id));
}

export function fetchReviews(id: string): Promise<Result<{ reviews: SlideReview[] }>> {
  return requestJson(SLIDE_PATHS.reviews(id));
}

export interface ReviewToSend {
  slide: string;
  region: number | null;
  agreement: Agreement;
  diagnosis: Diagnosis | null;
  note: string;
}

export function sendSlideReview(review: ReviewToSend): Promise<Result<unknown>> {
  return requestJson(PATHS.reviews, { method: "POST", body: review });
}
