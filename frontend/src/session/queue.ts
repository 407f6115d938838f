import { ask, type Ending } from "../api/ask";
import { setKey } from "../api/key";
import { canRetry, isOpen, isUnderWay, type Item, waitingLine } from "./item";
import { heartbeat } from "./service";
import { change, getState, itemOf, setState } from "./store";
import { transitionAt } from "./transition";

/** The service looks at one tile at a time: a second one is sent while it does. */
const AT_ONCE = 2;

const stops = new Map<string, () => void>();
let wake: ReturnType<typeof setTimeout> | undefined;

/** Send what can be sent now. Called whenever something changed that could allow it. */
export function pump(): void {
  const { pause, locked, health, reach, items } = getState();
  if (locked || reach === "lost" || !health?.ready) return;
  if (pause && pause.until > Date.now()) {
    clearTimeout(wake);
    wake = setTimeout(pump, pause.until - Date.now());
    return;
  }
  if (pause) setState({ pause: null });
  const free = AT_ONCE - items.filter(isUnderWay).length;
  waitingLine(items).slice(0, Math.max(0, free)).forEach(send);
}

function send(item: Item): void {
  const { id } = item;
  change(id, { phase: { is: "uploading", share: 0 } });
  const stop = ask(
    item.file,
    { gate: item.gate, page: item.page },
    {
      uploaded: (share) => {
        if (itemOf(id)?.phase.is === "uploading") change(id, { phase: { is: "uploading", share } });
      },
      sent: () => {
        change(id, { phase: { is: "looking", since: Date.now() } });
      },
      queued: (position) => {
        change(id, {
          phase: position > 0 ? { is: "queued", position } : { is: "looking", since: Date.now() },
        });
      },
      verdict: (verdict) => {
        change(id, { verdict, phase: { is: "explaining" } });
      },
      explanation: (text) => {
        change(id, { explanation: (itemOf(id)?.explanation ?? "") + text });
      },
      ended: (ending) => {
        stops.delete(id);
        settle(id, ending);
        pump();
      },
    },
  );
  stops.set(id, stop);
}

function settle(id: string, ending: Ending): void {
  const item = itemOf(id);
  if (!item) return;
  const next = transitionAt(item, ending);
  change(id, next.item);
  if (next.pause) pauseFor(next.pause);
  if (next.locked !== undefined) setState({ locked: next.locked });
  if (next.connectionLost) {
    setState({ reach: "lost" });
    heartbeat();
  }
}

/** Two tiles can be sent back at once: the longer wait counts. */
function pauseFor({ seconds, why }: { seconds: number; why: string }): void {
  const until = Date.now() + seconds * 1000;
  if (until >= (getState().pause?.until ?? 0)) setState({ pause: { until, why } });
}

/** Go on with an API key that was typed. */
export function unlock(typed: string): void {
  setKey(typed);
  setState({ locked: null });
  pump();
}

export function cancel(id: string): void {
  stop([id]);
  change(id, { phase: { is: "cancelled" } });
  pump();
}

export function cancelAll(): void {
  const open = getState()
    .items.filter(isOpen)
    .map((item) => item.id);
  stop(open);
  for (const id of open) change(id, { phase: { is: "cancelled" } });
}

/** Ask again, `warn` to have a picture answered that the gate refused. */
export function retry(id: string, gate?: "warn"): void {
  stop([id]);
  setState(({ items }) => ({
    items: items.map((item) => (item.id === id ? fresh(item, gate) : item)),
  }));
  pump();
}

/** Ask again about every tile that went without an answer for no fault of its own. */
export function retryAll(): void {
  setState(({ items }) => ({
    items: items.map((item) => (canRetry(item) ? fresh(item) : item)),
  }));
  pump();
}

/** A mark is about one answer: it does not pass to the next. */
function fresh(item: Item, gate?: "warn"): Item {
  const review = { note: item.review.note, mark: item.verdict ? null : item.review.mark };
  const again: Item = {
    ...item,
    review,
    explanation: "",
    losses: 0,
    resends: 0,
    phase: { is: "waiting" },
    ...(gate && { gate }),
  };
  delete again.verdict;
  delete again.answer;
  return again;
}

/** Nothing more is heard of these. */
export function stop(ids: Iterable<string>): void {
  for (const id of ids) {
    stops.get(id)?.();
    stops.delete(id);
  }
}
