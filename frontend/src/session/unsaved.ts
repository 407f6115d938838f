import type { Item, Review } from "./item";
import { hasPendingWrite } from "./persistence";
import { getState, setState, useSession } from "./store";

/** Whether closing the tab would lose a reader's mark or note: neither kept, exported nor in the log. */
export function isUnsaved({ review, exported }: Item): boolean {
  const note = review.note.trim();
  if (review.mark === null && note === "") return false;
  if (review.log?.is === "kept" && note === "") return false;
  return !sameReview(review, exported);
}

function sameReview(one: Review, other: Review | undefined): boolean {
  return one.mark === other?.mark && one.note === other.note;
}

/** These left the page, with the marks and notes that they had then. */
export function markExported(left: readonly Item[]): void {
  const reviews = new Map(left.map(({ id, review }) => [id, review]));
  setState(({ items }) => ({
    items: items.map((item) => {
      const exported = reviews.get(item.id);
      return exported ? { ...item, exported } : item;
    }),
  }));
}

function isAtRisk(): boolean {
  const { items, persist } = getState();
  return persist ? hasPendingWrite() : items.some(isUnsaved);
}

/** Ask before the tab closes or reloads, where that would lose what a reader wrote. */
export function warnBeforeLoss(): void {
  const confirmClosing = (event: BeforeUnloadEvent): void => {
    if (isAtRisk()) event.preventDefault();
  };
  let listening = false;
  useSession.subscribe(({ items }) => {
    const hasReviews = items.some(({ review }) => review.mark !== null || review.note !== "");
    if (hasReviews === listening) return;
    listening = hasReviews; // only while there is something to lose: a listener keeps the page from the browser's cache
    if (hasReviews) window.addEventListener("beforeunload", confirmClosing);
    else window.removeEventListener("beforeunload", confirmClosing);
  });
}
