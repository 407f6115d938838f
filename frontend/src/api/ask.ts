import { createParser, type EventSourceMessage } from "eventsource-parser";

import { keyHeaders } from "./key";
import { PATHS } from "./paths";
import type { Prediction, Problem, Verdict } from "./types";

/** Why there is no answer. `retryAfter` is in seconds, where the same picture can be answered later. */
export type Ending =
  | { is: "answered"; answer: Prediction }
  | { is: "refused"; problem: Problem; retryAfter?: number }
  | { is: "lost" };

export interface Hearing {
  uploaded(share: number): void;
  sent(): void;
  queued(position: number): void;
  verdict(verdict: Verdict): void;
  explanation(text: string): void;
  ended(ending: Ending): void;
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
 * Ask about one picture. XMLHttpRequest, because fetch tells no upload progress.
 * Returns how to stop, after which nothing more is heard.
 */
export function ask(picture: Blob, fields: PredictFields, hearing: Hearing): () => void {
  const request = new XMLHttpRequest();
  const listener = new Listener(request, hearing);
  request.open("POST", PATHS.predict);
  request.setRequestHeader("Accept", "text/event-stream");
  for (const [name, value] of Object.entries(keyHeaders())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) hearing.uploaded(event.loaded / event.total);
  };
  request.upload.onload = () => {
    hearing.sent();
  };
  request.onprogress = () => {
    listener.read();
  };
  request.onload = () => {
    listener.finish();
  };
  request.onerror = () => {
    listener.lose();
  };
  const form = new FormData();
  form.append(FIELD, picture, UPLOAD_NAME);
  if (fields.gate) form.append("gate", fields.gate);
  if (fields.page !== undefined) form.append("page", String(fields.page));
  request.send(form);
  return () => {
    listener.deaf = true;
    request.abort();
  };
}

class Listener {
  deaf = false;
  private seen = 0;
  private parser = createParser({
    onEvent: (event) => {
      this.event(event);
    },
  });

  constructor(
    private request: XMLHttpRequest,
    private hearing: Hearing,
  ) {}

  read(): void {
    if (this.request.status !== 200) return;
    const text = this.request.responseText;
    this.parser.feed(text.slice(this.seen));
    this.seen = text.length;
  }

  finish(): void {
    this.read();
    const { status, responseText } = this.request;
    if (status === 200) this.lose();
    else this.end(refusal(status, responseText, this.request.getResponseHeader("Retry-After")));
  }

  lose(): void {
    this.end({ is: "lost" });
  }

  private end(ending: Ending): void {
    if (this.deaf) return;
    this.deaf = true;
    this.hearing.ended(ending);
  }

  private event({ event, data }: EventSourceMessage): void {
    if (this.deaf) return;
    if (event === "queued")
      this.hearing.queued((JSON.parse(data) as { position: number }).position);
    if (event === "verdict") this.hearing.verdict(JSON.parse(data) as Verdict);
    if (event === "explanation")
      this.hearing.explanation((JSON.parse(data) as { text: string }).text);
    if (event === "answer") this.end({ is: "answered", answer: JSON.parse(data) as Prediction });
    if (event === "problem") this.end(refusedMidway(JSON.parse(data) as Problem));
  }
}

/** A refusal as the service worded it, or as plainly as can be said of something else's. */
export function refusal(status: number, body: string, retryAfter: string | null): Ending {
  const problem = problemIn(body, status) ?? unworded(status);
  return problem.retryable
    ? { is: "refused", problem, retryAfter: secondsOf(retryAfter) }
    : { is: "refused", problem };
}

/** In the midst of a stream there is no header left to say when to come back. */
function refusedMidway(problem: Problem): Ending {
  return problem.retryable
    ? { is: "refused", problem, retryAfter: problem.retry_after ?? ASSUMED_WAIT_SECONDS }
    : { is: "refused", problem };
}

function problemIn(body: string, status: number): Problem | undefined {
  try {
    const parsed = JSON.parse(body) as Partial<Problem> | null;
    if (parsed?.code === undefined || parsed.detail === undefined) return undefined;
    return { ...parsed, retryable: parsed.retryable ?? passes(status) } as Problem;
  } catch {
    return undefined; // a proxy's page, not the service's document
  }
}

function unworded(status: number): Problem {
  const code = `http_${status}`;
  return {
    type: "about:blank",
    title: "",
    detail: "",
    status,
    code,
    request_id: "",
    retryable: passes(status),
    retry_after: null,
  };
}

/** Where the service itself does not say whether the same picture can be answered later. */
function passes(status: number): boolean {
  return status === 429 || status === 503;
}

/** Retry-After is seconds or a date (RFC 9110, 10.2.3). */
function secondsOf(retryAfter: string | null): number {
  if (retryAfter === null) return ASSUMED_WAIT_SECONDS;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : ASSUMED_WAIT_SECONDS;
}
