import type { ReactElement } from "react";

import type { Item } from "../session/item";
import { change } from "../session/store";
import { texts } from "../texts";
import { mark } from "./actions";
import { Icon } from "./icons";

const MARKS = ["agree", "disagree"] as const;

/** What the person at the page thinks of the answer. */
export function Reading({ item }: { item: Item }): ReactElement {
  const { review } = item;
  return (
    <section>
      <h3 className="heading mb-2">{texts.review.title}</h3>
      <div className="flex flex-wrap gap-2">
        {MARKS.map((name) => (
          <button key={name} type="button" className="button flex-1" aria-pressed={review.mark === name} onClick={() => { mark(item, name); }}>
            <Icon name={name} className="size-4" />
            {texts.review[name]}
          </button>
        ))}
      </div>
      <label className="mt-2 block text-sm">
        <span className="sr-only">{texts.review.note}</span>
        <textarea data-note={item.id} rows={2} className="field w-full" placeholder={texts.review.placeholder} value={review.note}
          onChange={(event) => { change(item.id, { review: { ...review, note: event.target.value } }); }} />
      </label>
    </section>
  );
}
