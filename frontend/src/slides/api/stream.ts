import { createParser, type EventSourceMessage } from "eventsource-parser";

import { keyHeaders } from "../../api/key";
import type { Problem } from "../../api/types";
import { refusalOf, type Refused } from "./request";

export interface StreamHandlers {
  onEvent: (name: string, data: unknown) => void;
  /** Asked when a connection has ended in order: whether more is to come. */
  goesOn: () => boolean;
  /** The service refuses to report; nothing follows. */
  onRefused?: ((problem: Problem) => void) | undefined;
  /** True once the connection is lost, false once it is there again. */
  onLost?: ((lost: boolean) => void) | undefined;
}

const LONGEST_WAIT_MS = 10_000;
const FIRST_WAIT_MS = 500;

/** Server-sent events of `path`, with the key, over lost connections too. Returns how to stop. */
export function followStream(path: string, handlers: StreamHandlers): () => void {
  const stopped = new AbortController();
  void new Stream(path, handlers, stopped.signal).run();
  return () => {
    stopped.abort();
  };
}

class Stream {
  private lost = false;
  private wait = FIRST_WAIT_MS;

  constructor(
    private path: string,
    private handlers: StreamHandlers,
    private signal: AbortSignal,
  ) {}

  async run(): Promise<void> {
    while (!this.signal.aborted) {
      const refused = await this.connect();
      if (this.isStopped() || (!refused && !this.handlers.goesOn())) return;
      if (refused?.is === "refused" && refused.retryAfter === undefined) {
        this.handlers.onRefused?.(refused.problem);
        return;
      }
      this.setLost(true);
      await pause(this.nextWait(refused), this.signal);
    }
  }

  private isStopped(): boolean {
    return this.signal.aborted;
  }

  /** One connection until its end; how it was refused, where it was, "lost" where it broke. */
  private async connect(): Promise<Refused | undefined> {
    try {
      const response = await fetch(this.path, {
        headers: { ...keyHeaders(), Accept: "text/event-stream" },
        cache: "no-store",
        signal: this.signal,
      });
      if (!response.ok) return await refusalOf(response);
      await this.read(response);
      return undefined;
    } catch {
      return this.handlers.goesOn() ? { is: "lost" } : undefined;
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
    this.handlers.onEvent(event ?? "", JSON.parse(data));
  }

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
