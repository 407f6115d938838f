import { refusedOutcome, type PredictOutcome } from "./predict";
import { keyHeaders } from "./key";
import { PATHS } from "./paths";

/** A reviewer's word on an answer, for the service's audit log; undefined once the log holds it. */
export async function sendReview(
  request_id: string,
  agrees: boolean,
): Promise<PredictOutcome | undefined> {
  try {
    const response = await fetch(PATHS.reviews, {
      method: "POST",
      headers: { ...keyHeaders(), "Content-Type": "application/json" },
      body: JSON.stringify({ request_id, agrees }),
    });
    if (response.ok) return undefined;
    return refusedOutcome(
      response.status,
      await response.text(),
      response.headers.get("Retry-After"),
    );
  } catch {
    return { is: "lost" };
  }
}
