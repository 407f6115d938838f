import type { Problem } from "../../api/types";
import { keyRequestOf } from "../../session/problems";
import { setState as setSession, useSession } from "../../session/store";
import { followSlide } from "../api/events";
import type { Result } from "../api/request";
import { cancelReading, fetchReviews, fetchSlide, fetchUnread, startReading } from "../api/slides";
import type { Region, Slide, SlideDetail, SlideState } from "../api/types";
import { placeOf } from "./geometry";
import { getSlide, resetSlide, setSlide } from "./session";

const BEING_READ = "slide_being_read"; // someone else has just started it: it is followed
const RETRY_MS = 2000;
const FINISHED_MAP = 1_000_000_000; // later than any version of an unfinished one
const UNDER_WAY: readonly SlideState[] = ["queued", "reading"];
const WITH_MAP: readonly SlideState[] = ["reading", "read", "stale", "cancelled"];

export const isUnderWay = (slide: Slide): boolean => UNDER_WAY.includes(slide.state);

let stopFollowing: (() => void) | undefined;

/** Open a slide and follow it for as long as it is open. Returns how to close it. */
export function openSlide(id: string): () => void {
  resetSlide(id);
  void load(id);
  const stopKey = useSession.subscribe(({ keyRequest }, before) => {
    if (before.keyRequest !== null && keyRequest === null) void load(id); // a key was entered
  });
  return () => {
    stopKey();
    stopFollowing?.();
    stopFollowing = undefined;
    if (getSlide().id === id) resetSlide("");
  };
}

/** Fetch all that is known of the slide, again and again until the service answers. */
async function load(id: string): Promise<void> {
  const result = await fetchSlide(id);
  if (getSlide().id !== id) return;
  if (result.is === "answered") {
    showDetail(id, result.value);
    return;
  }
  if (result.is === "refused" && result.retryAfter === undefined) {
    refuse(result.problem);
    return;
  }
  setSlide({ lost: true });
  setTimeout(() => {
    if (getSlide().id === id) void load(id);
  }, RETRY_MS);
}

/** A key that is wanted is asked for above the page; anything else is said on it. */
function refuse(problem: Problem): void {
  const keyRequest = keyRequestOf(problem);
  if (keyRequest === null) setSlide({ problem, lost: false });
  else setSession({ keyRequest });
}

function showDetail(id: string, slide: SlideDetail): void {
  setSlide({ slide, problem: null, lost: false });
  if (slide.answer) showRegions(slide.answer.regions);
  if (WITH_MAP.includes(slide.state))
    setSlide({ mapVersion: slide.state === "reading" ? 0 : FINISHED_MAP + Date.now() });
  if (isUnderWay(slide)) follow(id);
  else void loadUnread(id);
}

async function loadUnread(id: string): Promise<void> {
  const result = await fetchUnread(id);
  if (result.is === "answered" && getSlide().id === id) setSlide({ unread: result.value });
}

/** What readers have said of the slide by now. */
export async function loadReviews(): Promise<void> {
  const { id } = getSlide();
  const result = await fetchReviews(id);
  if (result.is === "answered" && getSlide().id === id)
    setSlide(({ slide }) => ({ slide: slide && { ...slide, reviews: result.value.reviews } }));
}

function follow(id: string): void {
  stopFollowing?.();
  const merge = (change: Partial<Slide>): void => {
    setSlide(({ slide }) => ({ slide: slide && { ...slide, ...change } }));
  };
  const reload = (): void => {
    void load(id);
  };
  stopFollowing = followSlide(id, {
    onState: (slide) => {
      merge(slide);
      if (!isUnderWay(slide)) reload();
    },
    onProgress: (progress) => {
      merge({ state: "reading", progress });
    },
    onMap: (version) => {
      setSlide({ mapVersion: version });
    },
    onRegions: showRegions,
    onFinished: reload,
    onFailed: reload,
    onRefused: refuse,
    onLost: (lost) => {
      setSlide({ lost });
    },
  });
}

/** The region that was selected stays so, wherever it stands now. */
function showRegions(regions: Region[]): void {
  setSlide((session) => ({
    regions,
    selected: placeOf(session.regions[session.selected ?? -1], regions),
  }));
}

/** `mpp` in micrometres per pixel, where the slide does not state its scale. */
export async function read(mpp?: number): Promise<void> {
  const { id } = getSlide();
  setSlide({ problem: null });
  take(id, await startReading(id, mpp));
}

export async function cancel(): Promise<void> {
  const { id } = getSlide();
  take(id, await cancelReading(id));
}

function take(id: string, result: Result<Slide>): void {
  if (getSlide().id !== id) return;
  if (result.is === "answered") {
    setSlide(({ slide }) => ({ slide: slide && { ...slide, ...result.value } }));
    if (isUnderWay(result.value)) follow(id);
    else void load(id);
  } else if (result.is === "lost") setSlide({ lost: true });
  else if (result.problem.code === BEING_READ) void load(id);
  else refuse(result.problem);
}
