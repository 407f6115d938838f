import type { Answer, GateReason, Prediction, Verdict } from "../api/types";

/** Something that went wrong, in sentences a person reads. */
export interface Failure {
  code: string;
  title: string;
  detail: string;
  /** Whether another try can end otherwise: not where the picture itself is at fault. */
  canRetry: boolean;
  reasons?: GateReason[];
}

export type Phase =
  | { is: "checking" }
  | { is: "waiting" }
  | { is: "uploading"; share: number }
  | { is: "queued"; position: number }
  | { is: "processing"; since: number }
  | { is: "explaining" }
  | { is: "done" }
  | { is: "failed"; failure: Failure }
  | { is: "cancelled" };

export interface Review {
  mark: "agree" | "disagree" | null;
  note: string;
  /** Whether the mark is in the service's log of answers; absent where it keeps none. */
  log?: { is: "sending" } | { is: "kept" } | { is: "failed"; why: string };
}

/** One picture of the worklist. Objects are replaced, never changed. */
export interface Item {
  id: string;
  file: Blob;
  name: string;
  phase: Phase;
  /** A picture every browser draws: the file, or what was made of a TIFF; null where none can be. */
  drawable?: Blob | null;
  thumbnail?: string;
  gate?: "warn";
  /** The page that is read of a file of several, counted from 1; absent where none was chosen. */
  page?: number;
  /** How many pages the service counts in the file, once it has refused to choose one itself. */
  pages?: number;
  verdict?: Verdict;
  explanation: string;
  answer?: Prediction;
  review: Review;
  /** Which case a reader says it belongs to; never sent. */
  case?: string;
  /** How often the connection was lost while this one was under way. */
  losses: number;
  /** How often it was sent again because the service could not answer just then. */
  resends: number;
  /** SHA-256 of the file's bytes, by which duplicates are known. */
  digest?: string;
  /** The review as it last left the page in an export; one that differs from it would be lost. */
  exported?: Review;
}

export type Outcome = Answer | "failed" | "open";

const UNDER_WAY = new Set<Phase["is"]>(["uploading", "queued", "processing", "explaining"]);

export function isUnderWay(item: Item): boolean {
  return UNDER_WAY.has(item.phase.is);
}

export function isOpen(item: Item): boolean {
  return isUnderWay(item) || item.phase.is === "checking" || item.phase.is === "waiting";
}

export function outcomeOf(item: Item): Outcome {
  if (item.verdict) return item.verdict.verdict;
  return isOpen(item) ? "open" : "failed";
}

/** Whether a person is offered another try: a finished answer is not thrown away for another. */
export function canRetry({ phase }: Item): boolean {
  return phase.is === "cancelled" || (phase.is === "failed" && phase.failure.canRetry);
}

/** The waiting tiles in the order in which they are sent: one that was sent back does not hold up the rest. */
export function waitingInOrder(items: readonly Item[]): Item[] {
  return items
    .filter((item) => item.phase.is === "waiting")
    .sort((one, other) => one.resends - other.resends);
}
