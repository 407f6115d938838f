import type { Problem } from "../../api/types";
import { SLIDE_PATHS } from "./paths";
import { followStream } from "./stream";
import type { ListNews, Progress, Region, Slide } from "./types";

export type ReadingProgress = Progress & { kept?: number };

export interface SlideHandlers {
  onState?: (slide: Slide) => void;
  onProgress?: (progress: ReadingProgress) => void;
  /** The map has changed: fetch it again with this version. */
  onMap?: (version: number) => void;
  onRegions?: (regions: Region[]) => void;
  onFinished?: (slide: Slide) => void;
  onFailed?: (problem: Problem) => void;
  /** The service refuses to report on this slide; nothing follows. */
  onRefused?: (problem: Problem) => void;
  /** True once the connection is lost, false once it is there again. */
  onLost?: (lost: boolean) => void;
}

/** Follow a slide's reading, over lost connections too, until it has ended. Returns how to stop. */
export function followSlide(id: string, handlers: SlideHandlers): () => void {
  let ended = false;
  let underWay = true;
  const listeners: Record<string, (data: unknown) => void> = {
    state: (data) => {
      const slide = data as Slide;
      underWay = slide.state === "queued" || slide.state === "reading";
      handlers.onState?.(slide);
    },
    progress: (data) => handlers.onProgress?.(data as ReadingProgress),
    map: (data) => handlers.onMap?.((data as { version: number }).version),
    regions: (data) => handlers.onRegions?.((data as { regions: Region[] }).regions),
    finished: (data) => {
      ended = true;
      handlers.onFinished?.(data as Slide);
    },
    failed: (data) => {
      ended = true;
      handlers.onFailed?.(data as Problem);
    },
  };
  return followStream(SLIDE_PATHS.events(id), {
    onEvent: (name, data) => listeners[name]?.(data),
    goesOn: () => !ended && underWay, // else it ended without a word: nothing is being read
    onRefused: handlers.onRefused,
    onLost: handlers.onLost,
  });
}

export interface ListHandlers {
  onNews: (news: ListNews) => void;
  /** Nothing follows until it is asked for again. */
  onRefused: () => void;
  onLost: (lost: boolean) => void;
}

/** Follow which slides of the list change. Returns how to stop. */
export function followList({ onNews, ...handlers }: ListHandlers): () => void {
  return followStream(SLIDE_PATHS.listEvents, {
    onEvent: (name, data) => {
      if (name === "list") onNews(data as ListNews);
    },
    goesOn: () => true,
    ...handlers,
  });
}
