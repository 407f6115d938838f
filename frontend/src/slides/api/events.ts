import { createParser, type EventSourceMessage } from "eventsource-parser";

import { keyHeaders } from "../../api/key";
import type { Problem } from "../../api/types";
import { SLIDE_PATHS } from "./paths";
import { refusalOf, type Refused } from "./request";
import type { Progress, Region, Slide } from "./types";

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

const LONGEST_WAIT_MS = 10_000;
const FIRST_WAIT_MS = 500;

/** Follow a slide's reading, over lost connections too, until it has ended. Returns how to stop. */
export function followSlide(id: string, handlers: SlideHandlers): () => void {
  const stopped = new AbortController();
  void new Following(id, handlers, stopped.signal).run();
  return () => {
    stopped.abort();
  };
}

class Following {
  private ended = false;
  private underWay = true;
  private lost = false;
  private wait = FIRST_WAIT_MS;

  constructor(
    private id: string,
    private handlers: SlideHandlers,
    private signal: AbortSignal,
  ) {}

  async run(): Promise<void> {
    while (this.isOn()) {
      const refused = await this.connect();
      if (!this.isOn()) return;
      if (!refused && !this.underWay) return; // it ended without a word: nothing is being read
      if (refused?.is === "refused" && refused.retryAfter === undefined) {
        this.handlers.onRefused?.(refused.problem);
        return;
      }
      this.setLost(true);
      await pause(this.nextWait(refused), this.signal);
    }
  }

  private isOn(): boolean {
    return !this.ended && !this.signal.aborted;
  }

  /** One connection until its end; how it was refused, where it was, "lost" where it broke. */
  private async connect(): Promise<Refused | undefined> {
    try {
      const response = await fetch(SLIDE_PATHS.events(this.id), {
        headers: { ...keyHeaders(), Accept: "text/event-stream" },
        cache: "no-store",
        signal: this.signal,
      });
      if (!response.ok) return await refusalOf(response);
      await this.read(response);
      return undefined;
    } catch {
      return { is: "lost" };
    }
  }

  private async read({ body }: Response): Promise<void> {
    const parser = createParser({
      onEvent: (event) => {
        if (!this.signal.aborted) this.dispatch(event);
      },
    });
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) return;
      parser.feed(part.value);
    }
  }

  private dispatch({ event, data }: EventSourceMessage): void {
    this.setLost(false);
    this.wait = FIRST_WAIT_MS;
    const listener = this.listeners[event ?? ""];
    if (listener) listener(JSON.parse(data));
  }

  private listeners: Record<string, (data: unknown) => void> = {
    state: (data) => {
      const slide = data as Slide;
      this.underWay = slide.state === "queued" || slide.state === "reading";
      this.handlers.onState?.(slide);
    },
    progress: (data) => this.handlers.onProgress?.(data as ReadingProgress),
    map: (data) => this.handlers.onMap?.((data as { version: number }).version),
    regions: (data) => this.handlers.onRegions?.((data as { regions: Region[] }).regions),
    finished: (data) => {
      this.ended = true;
      this.handlers.onFinished?.(data as Slide);
    },
    failed: (data) => {
      this.ended = true;
      this.handlers.onFailed?.(data as Problem);
    },
  };

  private setLost(lost: boolean): void {
    if (lost === this.lost) return;
    this.lost = lost;
    this.handlers.onLost?.(lost);
  }

  private nextWait(refused: Refused | undefined): number {
    if (refused?.is === "refused") return (refused.retryAfter ?? 1) * 1000;
    const wait = this.wait;
    this.wait = Math.min(LONGEST_WAIT_MS, wait * 2);
    return wait;
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
