import { ask, type Ending } from "../api/ask";
import { setKey } from "../api/key";
import type { Problem } from "../api/types";
import { texts } from "../texts";
import { isOpen, isUnderWay, type Item, type Trouble } from "./item";
import { heartbeat } from "./service";
import { change, getState, itemOf, remove, setState } from "./store";

/** The service looks at one tile at a time: a second one is sent while it does. */
const AT_ONCE = 2;
/** A tile that takes the service down with it is not sent for ever. */
const MOST_LOSSES = 2;
const KEY_WANTED: ReadonlySet<string> = new Set(["credentials_missing", "key_rejected", "key_expired"]);

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
  items.filter((item) => item.phase.is === "waiting").slice(0, Math.max(0, free)).forEach(send);
}

function send(item: Item): void {
  const { id } = item;
  change(id, { phase: { is: "uploading", share: 0 } });
  const stop = ask(item.file, item.gate, {
    uploaded: (share) => { if (itemOf(id)?.phase.is === "uploading") change(id, { phase: { is: "uploading", share } }); },
    sent: () => { change(id, { phase: { is: "looking", since: Date.now() } }); },
    queued: (position) => {
      change(id, { phase: position > 0 ? { is: "queued", position } : { is: "looking", since: Date.now() } });
    },
    verdict: (verdict) => { change(id, { verdict, phase: { is: "explaining" } }); },
    explanation: (text) => { change(id, { explanation: (itemOf(id)?.explanation ?? "") + text }); },
    ended: (ending) => {
      stops.delete(id);
      settle(id, ending);
      pump();
    },
  });
  stops.set(id, stop);
}

function settle(id: string, ending: Ending): void {
  if (ending.is === "answered") {
    const { answer } = ending;
    change(id, { answer, verdict: answer, explanation: answer.explanation, phase: { is: "done" } });
  } else if (ending.is === "lost") {
    lose(id);
  } else if (ending.retryAfter !== undefined) {
    const why = sentenceOf(ending.problem);
    setState({ pause: { until: Date.now() + ending.retryAfter * 1000, why } });
    change(id, { phase: { is: "waiting" } });
  } else if (KEY_WANTED.has(ending.problem.code)) {
    setState({ locked: ending.problem.code === "credentials_missing" ? texts.key.wanted : sentenceOf(ending.problem) });
    change(id, { phase: { is: "waiting" } });
  } else {
    change(id, { phase: { is: "failed", trouble: troubleOf(ending.problem) } });
  }
}

/** Go on with an API key that was typed. */
export function unlock(typed: string): void {
  setKey(typed);
  setState({ locked: null });
  pump();
}

function lose(id: string): void {
  const item = itemOf(id);
  if (!item) return;
  const losses = item.losses + 1;
  const trouble = item.verdict ? texts.trouble.explanationLost : texts.trouble.lostTwice;
  const again = !item.verdict && losses < MOST_LOSSES;
  change(id, { losses, phase: again ? { is: "waiting" } : { is: "failed", trouble } });
  setState({ reach: "lost" });
  heartbeat();
}

function troubleOf(problem: Problem): Trouble {
  const { code, title } = problem;
  const reasons = problem.reasons as Trouble["reasons"];
  if (!problem.detail) return texts.trouble.unworded(problem.status);
  return { code, title, detail: sentenceOf(problem), ...(reasons && { reasons }) };
}

function sentenceOf(problem: Problem): string {
  return problem.detail || texts.trouble.unworded(problem.status).detail;
}

export function cancel(id: string): void {
  stops.get(id)?.();
  stops.delete(id);
  change(id, { phase: { is: "cancelled" } });
  pump();
}

export function cancelAll(): void {
  for (const item of getState().items.filter(isOpen)) {
    stops.get(item.id)?.();
    stops.delete(item.id);
    change(item.id, { phase: { is: "cancelled" } });
  }
}

/** Ask again, `warn` to have a picture answered that the gate refused. */
export function retry(id: string, gate?: "warn"): void {
  setState(({ items }) => ({
    items: items.map((item) => (item.id === id ? fresh(item, gate) : item)),
  }));
  pump();
}

function fresh(item: Item, gate: "warn" | undefined): Item {
  const again: Item = { ...item, explanation: "", losses: 0, phase: { is: "waiting" }, ...(gate && { gate }) };
  delete again.verdict;
  delete again.answer;
  return again;
}

export function forget(ids: readonly string[]): void {
  for (const id of ids) {
    stops.get(id)?.();
    stops.delete(id);
  }
  remove(new Set(ids));
  pump();
}
