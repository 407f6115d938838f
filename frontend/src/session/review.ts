import { sendReview } from "../api/review";
import { texts } from "../texts";
import type { Item, Review } from "./item";
import { change, itemOf } from "./store";

/** Mark a tile, or take the mark back. Where the service keeps a log of answers, it is told. */
export function mark(item: Item, wanted: NonNullable<Review["mark"]>): void {
  const unmarked = item.review.mark === wanted;
  change(item.id, { review: { note: item.review.note, mark: unmarked ? null : wanted } });
  if (!unmarked && item.answer?.recorded) void record(item.id, item.answer.request_id, wanted);
}

async function record(
  id: string,
  request: string,
  wanted: NonNullable<Review["mark"]>,
): Promise<void> {
  tell(id, wanted, { is: "sending" });
  const ending = await sendReview(request, wanted === "agree");
  if (!ending) tell(id, wanted, { is: "kept" });
  else
    tell(id, wanted, {
      is: "failed",
      why:
        ending.is === "refused" && ending.problem.detail
          ? ending.problem.detail
          : texts.review.lost,
    });
}

/** Unless it was marked otherwise in the meantime. */
function tell(id: string, wanted: Review["mark"], log: NonNullable<Review["log"]>): void {
  const review = itemOf(id)?.review;
  if (review?.mark === wanted) change(id, { review: { ...review, log } });
}

export function recordAgain(item: Item): void {
  const { mark: marked } = item.review;
  if (marked && item.answer) void record(item.id, item.answer.request_id, marked);
}
