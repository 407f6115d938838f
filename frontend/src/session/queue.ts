import { requestPrediction, type PredictOutcome } from "../api/predict";
import { setKey } from "../api/key";
import { canRetry, isOpen, isUnderWay, type Item, waitingInOrder } from "./item";
import { checkHealthNow } from "./health";
import { change, getState, itemOf, setState } from "./store";
import { transitionAt } from "./transition";

/** The service scores one tile at a time: a second one is sent while it does. */
const AT_ONCE = 2;

const cancellers = new Map<string, () => void>();
let resumeTimer: ReturnType<typeof setTimeout> | undefined;

/** Send what can be sent now. Called whenever something changed that could allow it. */
export function sendWaiting(): void {
  const { pause, keyRequest, health, connection, items } = getState();
  if (keyRequest || connection === "lost" || !health?.ready) return;
  if (pause && pause.until > Date.now()) {
    clearTimeout(resumeTimer);
    resumeTimer = setTimeout(sendWaiting, pause.until - Date.now());
    return;
  }
  if (pause) setState({ pause: null });
  const free = AT_ONCE - items.filter(isUnderWay).length;
  waitingInOrder(items).slice(0, Math.max(0, free)).forEach(send);
}

function send(item: Item): void {
  const { id } = item;
  change(id, { phase: { is: "uploading", share: 0 } });
  const stop = requestPrediction(
    item.file,
    { gate: item.gate, page: item.page },
    {
      onUploadProgress: (share) => {
        if (itemOf(id)?.phase.is === "uploading") change(id, { phase: { is: "uploading", share } });
      },
      onUploaded: () => {
        change(id, { phase: { is: "processing", since: Date.now() } });
      },
      onQueued: (position) => {
        change(id, {
          phase:
            position > 0 ? { is: "queued", position } : { is: "processing", since: Date.now() },
        });
      },
      onVerdict: (verdict) => {
        change(id, { verdict, phase: { is: "explaining" } });
      },
      onExplanation: (text) => {
        change(id, { explanation: (itemOf(id)?.explanation ?? "") + text });
      },
      onSettled: (outcome) => {
        cancellers.delete(id);
        settle(id, outcome);
        sendWaiting();
      },
    },
  );
  cancellers.set(id, stop);
}

function settle(id: string, outcome: PredictOutcome): void {
  const item = itemOf(id);
  if (!item) return;
  const next = transitionAt(item, outcome);
  change(id, next.item);
  if (next.pause) pauseFor(next.pause);
  if (next.keyRequest !== undefined) setState({ keyRequest: next.keyRequest });
  if (next.connectionLost) {
    setState({ connection: "lost" });
    checkHealthNow();
  }
}

/** Two tiles can be sent back at once: the longer wait counts. */
function pauseFor({ seconds, why }: { seconds: number; why: string }): void {
  const until = Date.now() + seconds * 1000;
  if (until >= (getState().pause?.until ?? 0)) setState({ pause: { until, why } });
}

/** Go on with an API key that was typed. */
export function submitKey(typed: string): void {
  setKey(typed);
  setState({ keyRequest: null });
  sendWaiting();
}

export function cancel(id: string): void {
  abortRequests([id]);
  change(id, { phase: { is: "cancelled" } });
  sendWaiting();
}

export function cancelAll(): void {
  const open = getState()
    .items.filter(isOpen)
    .map((item) => item.id);
  abortRequests(open);
  for (const id of open) change(id, { phase: { is: "cancelled" } });
}

/** Send again, `warn` to have a picture answered that the gate refused. */
export function retry(id: string, gate?: "warn"): void {
  abortRequests([id]);
  setState(({ items }) => ({
    items: items.map((item) => (item.id === id ? resetForRetry(item, gate) : item)),
  }));
  sendWaiting();
}

/** Send again every tile that went without an answer for no fault of its own. */
export function retryAll(): void {
  setState(({ items }) => ({
    items: items.map((item) => (canRetry(item) ? resetForRetry(item) : item)),
  }));
  sendWaiting();
}

/** A mark is about one answer: it does not pass to the next. */
function resetForRetry(item: Item, gate?: "warn"): Item {
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

/** No handler of theirs is called any more. */
export function abortRequests(ids: Iterable<string>): void {
  for (const id of ids) {
    cancellers.get(id)?.();
    cancellers.delete(id);
  }
}
