import { createParser, type EventSourceMessage } from "eventsource-parser";

import { keyHeaders } from "./key";
import { PATHS } from "./paths";
import type { Prediction, Problem, Verdict } from "./types";

/** Why there is no answer. `retryAfter` is in seconds, where the same picture can be answered later. */
export type PredictOutcome =
  | { is: "answered"; answer: Prediction }
  | { is: "refused"; problem: Problem; retryAfter?: number }
  | { is: "lost" };

export interface PredictHandlers {
  onUploadProgress(share: number): void;
  onUploaded(): void;
  onQueued(position: number): void;
  onVerdict(verdict: Verdict): void;
  onExplanation(text: string): void;
  onSettled(outcome: PredictOutcome): void;
}

export interface PredictFields {
  gate: "warn" | undefined;
  page: number | undefined;
}

/** The name of the field, and never the file's own name: names can be patients'. */
const FIELD = "image_file";
const UPLOAD_NAME = "tile";
const ASSUMED_WAIT_SECONDS = 5;

/**
 * Send one picture. XMLHttpRequest, because fetch reports no upload progress.
 * Returns a function that aborts, after which no handler is called.
 */
export function requestPrediction(
  picture: Blob,
  fields: PredictFields,
  handlers: PredictHandlers,
): () => void {
  const request = new XMLHttpRequest();
  const stream = new PredictionStream(request, handlers);
  request.open("POST", PATHS.predict);
  request.setRequestHeader("Accept", "text/event-stream");
  for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) handlers.onUploadProgress(event.loaded / event.total);
  };
  request.upload.onload = () => {
    handlers.onUploaded();
  };
  request.onprogress = () => {
    stream.readEvents();
  };
  request.onload = () => {
    stream.finish();
  };
  request.onerror = () => {
    stream.connectionLost();
  };
  const form = new FormData();
  form.append(FIELD, picture, UPLOAD_NAME);
  if (fields.gate) form.append("gate", fields.gate);
  if (fields.page !== undefined) form.append("page", String(fields.page));
  request.send(form);
  return () => {
    stream.closed = true;
    request.abort();
  };
}

class PredictionStream {
  closed = false;
  private parsedLength = 0;
  private parser = createParser({
    onEvent: (event) => {
      this.dispatch(event);
    },
  });

  constructor(
    private request: XMLHttpRequest,
    private handlers: PredictHandlers,
  ) {}

  readEvents(): void {
    if (this.request.status !== 200) return;
    const text = this.request.responseText;
    this.parser.feed(text.slice(this.parsedLength));
    this.parsedLength = text.length;
  }

  finish(): void {
    this.readEvents();
    const { status, responseText } = this.request;
    if (status === 200) this.connectionLost();
    else
      this.settle(
        refusedOutcome(status, responseText, this.request.getResponseHeader("Retry-After")),
      );
  }

  connectionLost(): void {
    this.settle({ is: "lost" });
  }

  private settle(outcome: PredictOutcome): void {
    if (this.closed) return;
    this.closed = true;
    this.handlers.onSettled(outcome);
  }

  private dispatch({ event, data }: EventSourceMessage): void {
    if (this.closed) return;
    if (event === "queued")
      this.handlers.onQueued((JSON.parse(data) as { position: number }).position);
    if (event === "verdict") this.handlers.onVerdict(JSON.parse(data) as Verdict);
    if (event === "explanation")
      this.handlers.onExplanation((JSON.parse(data) as { text: string }).text);
    if (event === "answer") this.settle({ is: "answered", answer: JSON.parse(data) as Prediction });
    if (event === "problem") this.settle(refusedInStream(JSON.parse(data) as Problem));
  }
}

/** A refusal as the service worded it, or as plainly as can be said of something else's. */
export function refusedOutcome(
  status: number,
  body: string,
  retryAfter: string | null,
): PredictOutcome {
  const problem = parseProblem(body, status) ?? unknownProblem(status);
  return problem.retryable
    ? { is: "refused", problem, retryAfter: retryAfterSeconds(retryAfter) }
    : { is: "refused", problem };
}

/** In the midst of a stream there is no header left to say when to come back. */
function refusedInStream(problem: Problem): PredictOutcome {
  return problem.retryable
    ? { is: "refused", problem, retryAfter: problem.retry_after ?? ASSUMED_WAIT_SECONDS }
    : { is: "refused", problem };
}

function parseProblem(body: string, status: number): Problem | undefined {
  try {
    const parsed = JSON.parse(body) as Partial<Problem> | null;
    if (parsed?.code === undefined || parsed.detail === undefined) return undefined;
    return { ...parsed, retryable: parsed.retryable ?? isTransient(status) } as Problem;
  } catch {
    return undefined; // a proxy's page, not the service's document
  }
}

function unknownProblem(status: number): Problem {
  const code = `http_${status}`;
  return {
    type: "about:blank",
    title: "",
    detail: "",
    status,
    code,
    request_id: "",
    retryable: isTransient(status),
    retry_after: null,
  };
}

/** Where the service itself does not say whether the same picture can be answered later. */
function isTransient(status: number): boolean {
  return status === 429 || status === 503;
}

/** Retry-After is seconds or a date (RFC 9110, 10.2.3). */
function retryAfterSeconds(retryAfter: string | null): number {
  if (retryAfter === null) return ASSUMED_WAIT_SECONDS;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : ASSUMED_WAIT_SECONDS;
}
