import type { ReactElement } from "react";

import type { Item } from "../session/item";
import { setMark, retryLog } from "../session/review";
import { change } from "../session/store";
import { texts } from "../texts";
import { Icon } from "./icons";

const MARKS = ["agree", "disagree"] as const;

/** What the person at the page thinks of the answer. */
export function ReviewForm({ item }: { item: Item }): ReactElement {
  const { review } = item;
  return (
    <section>
      <h3 className="heading mb-2">{texts.review.title}</h3>
      <div className="flex flex-wrap gap-2">
        {MARKS.map((name) => (
          <button
            key={name}
            type="button"
            className="button flex-1"
            aria-pressed={review.mark === name}
            onClick={() => {
              setMark(item, name);
            }}
          >
            <Icon name={name} className="size-4" />
            {texts.review[name]}
          </button>
        ))}
      </div>
      {item.answer?.recorded && <Log item={item} />}
      <label className="mt-2 block text-sm">
        <span className="sr-only">{texts.review.note}</span>
        <textarea
          data-note={item.id}
          rows={2}
          className="field w-full"
          placeholder={texts.review.placeholder}
          value={review.note}
          onChange={(event) => {
            change(item.id, { review: { ...review, note: event.target.value } });
          }}
        />
      </label>
      <label className="mt-2 flex items-center gap-2 text-sm">
        {texts.review.case}
        <input
          type="text"
          className="field min-w-0 flex-1"
          placeholder={texts.review.casePlaceholder}
          value={item.case ?? ""}
          onChange={(event) => {
            change(item.id, { case: event.target.value });
          }}
        />
      </label>
    </section>
  );
}

/** Where the mark goes, and whether it got there. */
function Log({ item }: { item: Item }): ReactElement {
  const { log } = item.review;
  return (
    <p role="status" className="mt-2 text-sm text-quiet">
      {log?.is === "failed" ? log.why : texts.review.log[log?.is ?? "none"]}
      {log?.is === "failed" && (
        <button
          type="button"
          className="button ml-2"
          onClick={() => {
            retryLog(item);
          }}
        >
          {texts.action.retry}
        </button>
      )}
    </p>
  );
}
