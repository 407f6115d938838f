import { useEffect } from "react";

import { useSession } from "../../session/store";
import { refresh, useSlides } from "./store";

const UNDER_WAY_MS = 1_500;
const IDLE_MS = 10_000;

/** Keep the list as the service has it, for as long as it is seen. */
export function usePolling(): void {
  useEffect(() => {
    let stopped = false;
    let next: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      clearTimeout(next);
      await refresh();
      if (stopped) return;
      clearTimeout(next);
      next = setTimeout(() => void poll(), interval());
    };
    const seenAgain = (): void => {
      if (!document.hidden) void poll();
    };
    const stopKey = useSession.subscribe(({ keyRequest }, before) => {
      if (before.keyRequest !== null && keyRequest === null) void poll(); // a key was entered
    });
    document.addEventListener("visibilitychange", seenAgain);
    void poll();
    return () => {
      stopped = true;
      clearTimeout(next);
      stopKey();
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, []);
}

function interval(): number {
  const { lost, counts, total } = useSlides.getState();
  const underWay = counts ? counts.queued + counts.reading > 0 : false;
  return lost || underWay || total === null ? UNDER_WAY_MS : IDLE_MS;
}
