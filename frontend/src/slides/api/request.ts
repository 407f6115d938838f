import { keyHeaders } from "../../api/key";
import { type PredictOutcome, refusedOutcome } from "../../api/predict";

export type Refused = Exclude<PredictOutcome, { is: "answered" }>;
export type Result<T> = { is: "answered"; value: T } | Refused;

interface Options {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
}

/** An answer of the service as JSON, its refusal, or "lost" where nobody answers or it was aborted. */
export async function requestJson<T>(path: string, options: Options = {}): Promise<Result<T>> {
  return requestAs(path, options, async (response) => (await response.json()) as T);
}

/** A file or picture, which the browser would request without the key. */
export async function requestBlob(path: string, options: Options = {}): Promise<Result<Blob>> {
  return requestAs(path, options, (response) => response.blob());
}

async function requestAs<T>(
  path: string,
  options: Options,
  read: (response: Response) => Promise<T>,
): Promise<Result<T>> {
  try {
    const response = await fetch(path, initOf(options));
    if (response.ok) return { is: "answered", value: await read(response) };
    return await refusalOf(response);
  } catch {
    return { is: "lost" };
  }
}

function initOf({ method = "GET", body, signal }: Options): RequestInit {
  return {
    method,
    headers: {
      ...keyHeaders(),
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  };
}

export async function refusalOf(response: Response): Promise<Refused> {
  const retryAfter = response.headers.get("Retry-After");
  return refusedOutcome(response.status, await response.text(), retryAfter) as Refused;
}
