import { sendReview } from "../api/review";
import { texts } from "../texts";
import type { Item, Review } from "./item";
import { change, itemOf } from "./store";

/** Mark a tile, or take the mark back. Where the service keeps an audit log, the mark is added to it. */
export function setMark(item: Item, choice: NonNullable<Review["mark"]>): void {
  const unmarked = item.review.mark === choice;
  change(item.id, { review: { note: item.review.note, mark: unmarked ? null : choice } });
  if (!unmarked && item.answer?.recorded) void sendToLog(item.id, item.answer.request_id, choice);
}

async function sendToLog(
  id: string,
  request: string,
  choice: NonNullable<Review["mark"]>,
): Promise<void> {
  setLogState(id, choice, { is: "sending" });
  const outcome = await sendReview(request, choice === "agree");
  if (!outcome) setLogState(id, choice, { is: "kept" });
  else
    setLogState(id, choice, {
      is: "failed",
      why:
        outcome.is === "refused" && outcome.problem.detail
          ? outcome.problem.detail
          : texts.review.lost,
    });
}

/** Unless it was marked otherwise in the meantime. */
function setLogState(id: string, choice: Review["mark"], log: NonNullable<Review["log"]>): void {
  const review = itemOf(id)?.review;
  if (review?.mark === choice) change(id, { review: { ...review, log } });
}

export function retryLog(item: Item): void {
  const { mark: marked } = item.review;
  if (marked && item.answer) void sendToLog(item.id, item.answer.request_id, marked);
}
