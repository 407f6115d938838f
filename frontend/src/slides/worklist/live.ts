import { useEffect } from "react";

import { useSession } from "../../session/store";
import { followList } from "../api/events";
import { refresh, showNews, useSlides } from "./store";

const UNDER_WAY_MS = 1_500;
const IDLE_MS = 10_000;
/** With a stream, only for slides that somebody lays into the folder. */
const FOLDER_MS = 30_000;
/** A folder of which many slides change is not fetched more often. */
const LEAST_MS = 1_000;

/** Keep the list as the service has it, for as long as it is seen. */
export function useLiveList(): void {
  useEffect(() => {
    const live = new LiveList();
    live.start();
    const seenAgain = (): void => {
      if (!document.hidden) live.fetchNow();
    };
    const stopKey = useSession.subscribe(({ keyRequest }, before) => {
      if (before.keyRequest !== null && keyRequest === null) live.start(); // a key was entered
    });
    document.addEventListener("visibilitychange", seenAgain);
    return () => {
      stopKey();
      document.removeEventListener("visibilitychange", seenAgain);
      live.stop();
    };
  }, []);
}

/** Fetches what is in sight when the service says that it has changed, and now and then. */
export class LiveList {
  private streams = false;
  private stopped = false;
  private fetching = false;
  private stale = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopStream: (() => void) | undefined;

  start(): void {
    this.stopStream?.();
    this.stopStream = followList({
      onNews: (news) => {
        const missed = !this.streams; // what changed before the stream was there
        this.streams = true;
        showNews(news);
        if (missed || news.slides?.length !== 0) this.fetchNow();
      },
      onRefused: () => {
        this.streams = false;
      },
      onLost: (lost) => {
        if (lost) {
          this.streams = false;
          this.fetchNow();
        }
      },
    });
    this.fetchNow();
  }

  stop(): void {
    this.stopped = true;
    this.stopStream?.();
    clearTimeout(this.timer);
  }

  /** One fetch at a time; what changes meanwhile is fetched after it. */
  fetchNow(): void {
    if (this.fetching) this.stale = true;
    else void this.fetch();
  }

  private async fetch(): Promise<void> {
    clearTimeout(this.timer);
    this.fetching = true;
    this.stale = false;
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, LEAST_MS));
    this.fetching = false;
    if (this.isStopped()) return;
    const again = (): void => {
      this.fetchNow();
    };
    this.timer = setTimeout(again, this.nextMs());
  }

  private isStopped(): boolean {
    return this.stopped;
  }

  private nextMs(): number {
    return this.stale ? 0 : this.interval();
  }

  private interval(): number {
    const { lost, counts, total } = useSlides.getState();
    if (this.streams && !lost && total !== null) return FOLDER_MS;
    const underWay = counts ? counts.queued + counts.reading > 0 : false;
    return lost || underWay || total === null ? UNDER_WAY_MS : IDLE_MS;
  }
}
