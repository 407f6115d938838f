import type { PredictOutcome } from "../api/predict";
import type { Problem } from "../api/types";
import { texts } from "../texts";
import type { Item, Failure } from "./item";
import { failureOf, keyRequestOf, sentenceOf } from "./problems";

/** A tile that takes the service down with it is not sent for ever. */
export const MAX_LOSSES = 2;
/** Nor is one that is sent back again and again, whatever the service says of it. */
export const MAX_RESENDS = 8;
const MAX_BACKOFF_SECONDS = 60;
type Refusal = Extract<PredictOutcome, { is: "refused" }>;

/** What an ending makes of its tile, and of the queue behind it. */
export interface Transition {
  item: Partial<Item>;
  pause?: { seconds: number; why: string };
  keyRequest?: string;
  connectionLost?: true;
}

export function transitionAt(item: Item, outcome: PredictOutcome): Transition {
  switch (outcome.is) {
    case "answered": {
      const { answer } = outcome;
      return {
        item: { answer, verdict: answer, explanation: answer.explanation, phase: { is: "done" } },
      };
    }
    case "lost":
      return lost(item);
    case "refused":
      return refused(item, outcome);
  }
}

function refused(item: Item, { problem, retryAfter }: Refusal): Transition {
  const keyRequest = keyRequestOf(problem);
  if (keyRequest !== null) return { item: { phase: { is: "waiting" } }, keyRequest };
  // A known verdict is not requested again by itself: only its explanation is missing.
  if (retryAfter === undefined || item.verdict) {
    const { item: change } = failed(failureOf(problem));
    return { item: { ...change, ...pagesOf(problem) } };
  }
  const why = sentenceOf(problem);
  const pause = { seconds: Math.max(retryAfter, backoff(item.resends)), why };
  if (item.resends >= MAX_RESENDS)
    return { ...failed(texts.failure.stillRefused(problem.code, why, item.resends + 1)), pause };
  return { item: { resends: item.resends + 1, phase: { is: "waiting" } }, pause };
}

/** A file of several pages is refused with how many there are to choose from. */
function pagesOf({ pages }: Problem): Pick<Item, "pages"> {
  return typeof pages === "number" ? { pages } : {};
}

function backoff(resends: number): number {
  return Math.min(MAX_BACKOFF_SECONDS, 2 ** resends);
}

function lost(item: Item): Transition {
  const losses = item.losses + 1;
  if (!item.verdict && losses < MAX_LOSSES)
    return { item: { losses, phase: { is: "waiting" } }, connectionLost: true };
  const { explanationLost, lostTwice } = texts.failure;
  return {
    item: { losses, ...failed(item.verdict ? explanationLost : lostTwice).item },
    connectionLost: true,
  };
}

function failed(failure: Failure): Transition {
  return { item: { phase: { is: "failed", failure } } };
}
