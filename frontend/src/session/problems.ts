import type { Problem } from "../api/types";
import { texts } from "../texts";
import type { Failure } from "./item";

const TOO_SLOW = 408;
const BUSY = 429;
const SERVER_FAULT = 500;
/** Refused for the caller or its address, and not for the picture. */
const NOT_LET_IN: ReadonlySet<number> = new Set([401, 403]);

const KEY_WANTED: ReadonlySet<string> = new Set([
  "credentials_missing",
  "key_rejected",
  "key_expired",
]);

/** Why an API key is wanted; null where it is not for want of one that this was refused. */
export function keyRequestOf(problem: Problem): string | null {
  if (!KEY_WANTED.has(problem.code)) return null;
  return problem.code === "credentials_missing" ? texts.key.wanted : sentenceOf(problem);
}

/** A refusal in sentences a person reads. */
export function failureOf(problem: Problem): Failure {
  if (!problem.detail) return texts.failure.unworded(problem.status);
  const { code, title, detail } = problem;
  const reasons = problem.reasons as Failure["reasons"];
  return { code, title, detail, canRetry: canChange(problem), ...(reasons && { reasons }) };
}

export function sentenceOf(problem: Problem): string {
  return problem.detail || texts.failure.unworded(problem.status).detail;
}

/** The service's own faults can be mended meanwhile; what a picture was refused for stays with it. */
function canChange({ status, retryable }: Problem): boolean {
  return (
    retryable ||
    status >= SERVER_FAULT ||
    status === TOO_SLOW ||
    status === BUSY ||
    NOT_LET_IN.has(status)
  );
}
